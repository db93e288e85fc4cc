/**
 * Splits a command line into words as Compose does for `command: "..."`: quotes and backslashes as in a POSIX shell, and nothing else
 * of a shell. `undefined` when a quote is left open.
 */
export function shellWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i] ?? '';
    if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === "'") {
      const end = text.indexOf("'", i + 1);
      if (end < 0) return undefined;
      word = (word ?? '') + text.slice(i + 1, end);
      i = end;
    } else if (character === '"') {
      const quoted = /^"((?:[^"\\]|\\[\s\S])*)"/.exec(text.slice(i));
      if (quoted === null) return undefined;
      word =
        (word ?? '') +
        (quoted[1] ?? '').replace(/\\(["\\$`\n])/g, (_, escaped: string) =>
          escaped === '\n' ? '' : escaped,
        );
      i += quoted[0].length - 1;
    } else if (character === '\\') {
      if (i + 1 >= text.length) return undefined;
      i += 1;
      if (text[i] !== '\n') word = (word ?? '') + (text[i] ?? '');
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}
