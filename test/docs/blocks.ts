/** The fenced blocks of a page, and what its tests do with each: the second word behind the fence says so. */
import { readFile } from 'node:fs/promises';

export interface DocumentBlock {
  /** The last heading before it. */
  readonly heading: string;
  /** `sh`, `yaml`, ... */
  readonly language: string;
  /** `workstation`: run wherever tests run; `machine`: by a boot test; `untested`: by nobody. */
  readonly how: 'workstation' | 'machine' | 'untested';
  readonly text: string;
  readonly line: number;
  /** The paragraph before it. */
  readonly before: string;
}

const FENCE = /^```(\S*)(?: (.*))?$/;

export async function readBlocks(path: string): Promise<readonly DocumentBlock[]> {
  const blocks: DocumentBlock[] = [];
  let heading = '';
  let before = '';
  let open: { language: string; how: string; line: number; text: string[] } | undefined;
  for (const [index, line] of (await readFile(path, 'utf8')).split('\n').entries()) {
    const fence = FENCE.exec(line);
    if (open !== undefined && fence !== null) {
      blocks.push({ ...open, heading, before, how: howOf(open, path), text: `${open.text.join('\n')}\n` });
      open = undefined;
      before = '';
    } else if (open !== undefined) open.text.push(line);
    else if (fence !== null)
      open = { language: fence[1] ?? '', how: fence[2] ?? '', line: index + 1, text: [] };
    else if (line.startsWith('#')) heading = line.replace(/^#+ /, '');
    else if (line !== '') before = line;
  }
  return blocks;
}

/** The one such block. */
export function theBlock(
  blocks: readonly DocumentBlock[],
  heading: string,
  language: string,
  how: DocumentBlock['how'] = 'machine',
): string {
  const [found, ...others] = blocks.filter(
    (block) => block.heading === heading && block.language === language && block.how === how,
  );
  if (found === undefined || others.length > 0)
    throw new Error(
      `under "${heading}" there are ${others.length + Number(found !== undefined)} such blocks`,
    );
  return found.text;
}

/** With names put in; each must be there, or the page has changed and the test has not. */
export function filledIn(text: string, names: Readonly<Record<string, string>>): string {
  return Object.entries(names).reduce((filled, [name, value]) => {
    if (!filled.includes(name)) throw new Error(`there is no ${name} in ${JSON.stringify(text)}`);
    return filled.replaceAll(name, value);
  }, text);
}

function howOf(
  { language, how, line }: { readonly language: string; readonly how: string; readonly line: number },
  path: string,
): DocumentBlock['how'] {
  if (language === '') throw new Error(`${path}:${line}: a block without a language`);
  if (how === '') return 'workstation';
  if (how === 'machine' || how === 'untested') return how;
  throw new Error(`${path}:${line}: nobody knows what ${how} means`);
}
