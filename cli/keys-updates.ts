/** `slipway keys rotate|revoke|renew`: changes among the keys that sign updates. */
import { Command, InvalidArgumentError } from 'commander';
import { passphraseSource } from '../builder/keys/passphrase.ts';
import { SlipwayError } from '../spec/error.ts';
import { TOP_LEVEL_ROLES, type TufRole } from '../updater/repository/keys/directory.ts';
import { listTufKeys, type TufKeyList } from '../updater/repository/keys/list.ts';
import type { ExternalKey } from '../updater/repository/keys/make.ts';
import {
  dropChannel,
  dropKey,
  renewRoot,
  rotateKey,
  rotateRole,
  type RotateOptions,
  type RotationResult,
} from '../updater/repository/keys/rotate.ts';
import { askPassphrase } from './passphrase.ts';

interface Flags {
  readonly passphraseFile?: string;
  readonly publicKey?: string;
  readonly signer?: string;
  readonly signerEnvironment?: readonly string[];
  readonly threshold?: number;
  readonly keys?: number;
  readonly rootDays?: number;
  readonly drop?: true;
  readonly json?: true;
}

export function rotateCommand(keysDirectory: string): Command {
  return withRootOptions(
    new Command('rotate')
      .description(
        'Replaces the keys of a role that signs updates (root, targets, snapshot, timestamp, rollout-<channel>), or one of them.',
      )
      .argument('<role or key id>', 'all keys of this role, or this key alone (6 digits of its id suffice)')
      .argument('[directory]', 'keys directory', keysDirectory)
      .option('--threshold <n>', 'so many of the role’s keys must sign from now on', positive)
      .option('--keys <n>', 'the role has so many keys from now on', positive)
      .option(
        '--public-key <file>',
        'PEM of an Ed25519 public key whose private half lives elsewhere; needs --signer',
      )
      .option('--signer <program>', 'signs with it: message on stdin, raw signature on stdout')
      .option('--signer-environment <names...>', 'environment variables that it is given'),
  ).action(async (what: string, directory: string, flags: Flags) => {
    const options = rotateOptions(flags);
    const role = roleNamed(what);
    report(
      flags,
      directory,
      role === undefined
        ? await rotateKey(directory, what, options)
        : await rotateRole(directory, role, options),
    );
  });
}

export function revokeCommand(keysDirectory: string): Command {
  return withRootOptions(
    new Command('revoke')
      .description('Trusts a key, or all keys of a role, no more; new ones take their place unless --drop.')
      .argument('<key id or role>', 'a key (6 digits of its id suffice), or every key of a role')
      .argument('[directory]', 'keys directory', keysDirectory)
      .option('--drop', 'nothing takes its place: for a key of which there are enough, or a channel')
      .option('--threshold <n>', 'so many of the role’s keys must sign from now on', positive),
  ).action(async (what: string, directory: string, flags: Flags) => {
    report(flags, directory, await revoke(directory, what, flags));
    if (flags.json !== true)
      process.stdout.write(
        'A machine trusts the old key until it has seen this. Publish now: slipway repo refresh, then slipway repo push.\n',
      );
  });
}

export function renewCommand(keysDirectory: string): Command {
  return withRootOptions(
    new Command('renew')
      .description('Signs a new version of root with the same keys, which expires later.')
      .argument('[directory]', 'keys directory', keysDirectory),
  ).action(async (directory: string, flags: Flags) => {
    report(flags, directory, await renewRoot(directory, rotateOptions(flags)));
  });
}

/** Rows of a table, its head first. */
export function tufKeyRows({ keys }: TufKeyList): string[][] {
  return [
    ['ROLE', 'KEY ID', 'MUST SIGN', 'PRIVATE KEY', 'FOR'],
    ...keys.map((key) => [
      key.role,
      key.keyId.slice(0, 16),
      `${key.threshold} of ${key.keysOfRole}`,
      key.privateKey,
      key.purpose,
    ]),
  ];
}

/** `undefined` for a directory without keys for updates. */
export async function tufKeysOf(directory: string): Promise<TufKeyList | undefined> {
  try {
    return await listTufKeys(directory);
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'keys.missing') return undefined;
    throw error;
  }
}

export function positive(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number above 0.');
}

function withRootOptions(command: Command): Command {
  return command
    .option('--root-days <n>', 'the new root expires after so many days', positive)
    .option('--passphrase-file <file>', 'opens the private keys, and encrypts new ones')
    .option('--json', 'print what changed as JSON');
}

function revoke(directory: string, what: string, flags: Flags): Promise<RotationResult> {
  const role = roleNamed(what);
  const options = rotateOptions(flags);
  if (role === undefined) {
    return flags.drop === true ? dropKey(directory, what, options) : rotateKey(directory, what, options);
  }
  if (flags.drop !== true) return rotateRole(directory, role, options);
  if (role.startsWith('rollout-')) return dropChannel(directory, role.slice('rollout-'.length));
  throw new SlipwayError('usage.drop', `there is no update without ${role}: its keys cannot all be dropped`, {
    hint: 'leave out --drop, or name one key',
  });
}

function roleNamed(what: string): TufRole | undefined {
  if (what.startsWith('rollout-')) return `rollout-${what.slice('rollout-'.length)}`;
  return TOP_LEVEL_ROLES.find((role) => role === what);
}

function rotateOptions(flags: Flags): RotateOptions {
  return {
    passphrase: passphraseSource({
      ...(flags.passphraseFile === undefined ? {} : { file: flags.passphraseFile }),
      prompt: () => askPassphrase(),
    }),
    ...(flags.threshold === undefined ? {} : { threshold: flags.threshold }),
    ...(flags.keys === undefined ? {} : { keys: flags.keys }),
    ...(flags.rootDays === undefined ? {} : { rootDays: flags.rootDays }),
    ...externalKey(flags),
  };
}

function externalKey({ publicKey, signer, signerEnvironment }: Flags): { external?: ExternalKey } {
  if (publicKey === undefined && signer === undefined) return {};
  if (publicKey === undefined || signer === undefined)
    throw new SlipwayError('usage.signer', '--public-key and --signer belong together');
  return {
    external: {
      publicKeyFile: publicKey,
      signer: { command: [signer], environment: [...(signerEnvironment ?? [])], timeoutSeconds: 120 },
    },
  };
}

function report(flags: Flags, directory: string, result: RotationResult): void {
  if (flags.json === true) {
    process.stdout.write(`${JSON.stringify({ format: '1.0', directory, ...result }, undefined, 2)}\n`);
    return;
  }
  const lines = [
    ...result.retired.map((keyId) => `${result.role}: ${keyId.slice(0, 16)} is not trusted any more`),
    ...result.added.map((keyId) => `${result.role}: ${keyId.slice(0, 16)} is new`),
    result.rootVersion === undefined
      ? 'The next targets.json says so (slipway repo refresh needs the targets keys for it).'
      : `Root is version ${result.rootVersion} now; the next slipway repo refresh publishes it.`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
