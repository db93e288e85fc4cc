/** The command line of a client under test. */

export type ClientArguments =
  | { readonly command: 'init'; readonly metadataDir: string; readonly root: string }
  | { readonly command: 'refresh'; readonly metadataDir: string; readonly metadataUrl: string }
  | {
      readonly command: 'download';
      readonly metadataDir: string;
      readonly metadataUrl: string;
      readonly targetNames: readonly string[];
      readonly targetDir: string;
      readonly targetBaseUrl: string;
    };

const OPTIONS = ['--metadata-dir', '--metadata-url', '--target-name', '--target-dir', '--target-base-url'];
const USAGE =
  'usage: tuf-client --metadata-dir DIR (init ROOT | --metadata-url URL refresh | ' +
  '--metadata-url URL --target-name NAME... --target-dir DIR --target-base-url URL download)';

/** Throws with the usage. Options may stand before or behind the command. */
export function parseArguments(argv: readonly string[]): ClientArguments {
  const options = new Map<string, string[]>();
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const [name = '', inline] = splitOption(argv[index] ?? '');
    if (!name.startsWith('--')) {
      words.push(name);
      continue;
    }
    const value = inline ?? argv[++index];
    if (!OPTIONS.includes(name) || value === undefined) throw new Error(`${name}: ${USAGE}`);
    options.set(name, [...(options.get(name) ?? []), value]);
  }
  const one = (name: string): string => {
    const value = options.get(name)?.at(-1);
    if (value === undefined) throw new Error(`${name} is missing: ${USAGE}`);
    return value;
  };
  const [command, root, ...rest] = words;
  const metadataDir = one('--metadata-dir');
  if (command === 'init' && root !== undefined && rest.length === 0) return { command, metadataDir, root };
  if (root !== undefined) throw new Error(USAGE);
  if (command === 'refresh') return { command, metadataDir, metadataUrl: one('--metadata-url') };
  if (command !== 'download') throw new Error(USAGE);
  one('--target-name');
  return {
    command,
    metadataDir,
    metadataUrl: one('--metadata-url'),
    targetNames: options.get('--target-name') ?? [],
    targetDir: one('--target-dir'),
    targetBaseUrl: one('--target-base-url'),
  };
}

function splitOption(word: string): [string, string | undefined] {
  const equals = word.startsWith('--') ? word.indexOf('=') : -1;
  return equals < 0 ? [word, undefined] : [word.slice(0, equals), word.slice(equals + 1)];
}
