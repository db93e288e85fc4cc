/** What the commands that change a repository have in common: its keys. */
import type { Command } from 'commander';
import { passphraseSource, type PassphraseSource } from '../builder/keys/passphrase.ts';
import { loadTufKeys, type TufKeys } from '../updater/repository/keys/load.ts';
import type { Publication } from '../updater/repository/repository/publish.ts';
import { askPassphrase } from './passphrase.ts';

export interface KeyFlags {
  readonly keys: string;
  readonly passphraseFile?: string;
}

export function withKeys(command: Command): Command {
  return command
    .option('--keys <dir>', 'keys directory (see: slipway keys init)', process.env['SLIPWAY_KEYS'] ?? 'keys')
    .option('--passphrase-file <file>', 'opens private keys that are encrypted');
}

export async function openKeys(flags: KeyFlags): Promise<TufKeys> {
  return loadTufKeys(flags.keys, { passphrase: passphraseOf(flags) });
}

export function passphraseOf(flags: KeyFlags): PassphraseSource {
  return passphraseSource({
    ...(flags.passphraseFile === undefined ? {} : { file: flags.passphraseFile }),
    prompt: () => askPassphrase(),
  });
}

/** What to tell after a publication: whether machines see it. */
export function publicationText({ signed, waitingFor }: Publication): string {
  const done = signed.length === 0 ? 'nothing was signed' : `signed ${signed.join(', ')}`;
  if (waitingFor.length === 0) return done;
  const seen = waitingFor.includes('timestamp')
    ? 'Machines see nothing of it until then'
    : 'What is published stays valid meanwhile';
  return `${done}; the private keys for ${waitingFor.join(', ')} are not here.\n${seen}: run slipway repo refresh where they are.`;
}
