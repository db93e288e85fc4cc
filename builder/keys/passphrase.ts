/** Where a passphrase comes from: a file, the environment, or whoever sits at the terminal. It is never printed nor passed in an argv. */
import { readFile } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';

export type PassphraseSource = () => Promise<string | undefined>;

export const PASSPHRASE_VARIABLE = 'SLIPWAY_PASSPHRASE';
/** Names a file: what build servers have, whose environments are shown to many. */
export const PASSPHRASE_FILE_VARIABLE = 'SLIPWAY_PASSPHRASE_FILE';

/** The first of: the file's first line, `SLIPWAY_PASSPHRASE`, that of `SLIPWAY_PASSPHRASE_FILE`, what `prompt` returns; asked at most once. */
export function passphraseSource(
  options: { readonly file?: string; readonly prompt?: PassphraseSource } = {},
): PassphraseSource {
  let answer: Promise<string | undefined> | undefined;
  return () => (answer ??= find(options));
}

async function find(options: { file?: string; prompt?: PassphraseSource }): Promise<string | undefined> {
  if (options.file !== undefined) return fromFile(options.file);
  const named = process.env[PASSPHRASE_VARIABLE];
  if (named !== undefined && named !== '') return named;
  const namedFile = process.env[PASSPHRASE_FILE_VARIABLE];
  if (namedFile !== undefined && namedFile !== '') return fromFile(namedFile);
  return options.prompt?.();
}

async function fromFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new SlipwayError('keys.passphrase-file', `cannot read the passphrase file ${file}`, { cause });
  });
  const [line = ''] = text.split(/\r?\n/);
  if (line === '') {
    throw new SlipwayError('keys.passphrase-file', `the first line of the passphrase file ${file} is empty`);
  }
  return line;
}
