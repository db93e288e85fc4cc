/** Arguments of `slip`: flags first, then words; what is not known is wrong use. */

export interface Flag {
  readonly name: string;
  readonly short?: string;
  /** Whether a value follows. */
  readonly value: boolean;
}

export interface Parsed {
  readonly flags: ReadonlyMap<string, string>;
  readonly words: readonly string[];
}

/** `stopAtWord`: after so many words, the next one begins another command, whose flags are its own (`exec`). Returns what is wrong as text. */
export function parseArguments(
  argv: readonly string[],
  flags: readonly Flag[],
  stopAtWord: number | null,
): Parsed | string {
  const found = new Map<string, string>();
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index]!;
    if (argument === '--') {
      words.push(...argv.slice(index + 1));
      break;
    }
    if (!argument.startsWith('-') || argument === '-') {
      if (stopAtWord !== null && words.length >= stopAtWord) {
        words.push(...argv.slice(index));
        break;
      }
      words.push(argument);
      continue;
    }
    const [name = '', inline] = splitFlag(argument);
    const flag = flags.find((candidate) => `--${candidate.name}` === name || `-${candidate.short}` === name);
    if (flag === undefined) return `unknown option ${argument}`;
    if (!flag.value) {
      if (inline !== undefined) return `${name} takes no value`;
      found.set(flag.name, 'yes');
      continue;
    }
    const value = inline ?? argv[++index];
    if (value === undefined) return `${name} needs a value`;
    found.set(flag.name, value);
  }
  return { flags: found, words };
}

function splitFlag(argument: string): readonly [string, string | undefined] {
  const equals = argument.startsWith('--') ? argument.indexOf('=') : -1;
  return equals < 0 ? [argument, undefined] : [argument.slice(0, equals), argument.slice(equals + 1)];
}
