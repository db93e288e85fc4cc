/** The demo's voice: numbered chapters, what happens in them, and what the machine itself says, set in. */
export interface Commentary {
  readonly chapter: (title: string, text: string) => void;
  readonly say: (text: string) => void;
  /** A command as the user would type it. */
  readonly command: (line: string) => void;
  /** What a program prints, as it comes. */
  readonly quote: (text: string) => void;
}

export function commentary(stream: NodeJS.WriteStream = process.stdout): Commentary {
  const start = performance.now();
  const style = (code: string, text: string): string => (stream.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text);
  let chapters = 0;
  let atLineStart = true;
  return {
    chapter: (title, text) => {
      const seconds = Math.round((performance.now() - start) / 1000);
      stream.write(`\n${style('1', `${(chapters += 1)}. ${title}`)}  (${seconds} s)\n${text}\n`);
    },
    say: (text) => void stream.write(`${text}\n`),
    command: (line) => void stream.write(`${style('36', `  $ ${line}`)}\n`),
    quote: (text) => {
      for (const character of text) {
        if (atLineStart && character !== '\n') stream.write('  | ');
        stream.write(character);
        atLineStart = character === '\n' || character === '\r';
      }
    },
  };
}
