/** Asks for a passphrase at the terminal, without echo. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { SlipwayError } from '../spec/error.ts';

/** `undefined` where nobody can be asked. */
export async function askPassphrase(question = 'Passphrase of the keys: '): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined;
  process.stderr.write(question);
  // readline echoes to its output; this one swallows it.
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

/** Asks twice for a new one. */
export async function askNewPassphrase(): Promise<string | undefined> {
  const first = await askPassphrase('New passphrase: ');
  if (first === undefined) return undefined;
  if (first === '') throw new SlipwayError('keys.passphrase-empty', 'an empty passphrase protects nothing');
  if ((await askPassphrase('Once more: ')) === first) return first;
  throw new SlipwayError('keys.passphrase-differs', 'the two passphrases differ');
}
