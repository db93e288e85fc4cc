/** `slipway keys`: makes and lists the keys that images and updates are signed with. */
import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { SlipwayError } from '../spec/error.ts';
import { initKeys } from '../builder/keys/init.ts';
import { KEY_SETS, keysFilePath, type KeySetName } from '../builder/keys/directory.ts';
import { renewLeaf, type LeafOptions } from '../builder/keys/leaf.ts';
import { listKeys, type ListedKey } from '../builder/keys/list.ts';
import { PASSPHRASE_VARIABLE, passphraseSource } from '../builder/keys/passphrase.ts';
import { hasPcrKey, listPcrKey, makePcrKey, type ListedPcrKey } from '../builder/pcr/key.ts';
import { initTufKeys, type KeyCount } from '../updater/repository/keys/init.ts';
import { passphraseLikeOthers } from '../updater/repository/keys/make.ts';
import type { TufKeyList } from '../updater/repository/keys/list.ts';
import {
  positive,
  renewCommand,
  revokeCommand,
  rotateCommand,
  tufKeyRows,
  tufKeysOf,
} from './keys-updates.ts';
import { askNewPassphrase, askPassphrase } from './passphrase.ts';

const DEFAULT_KEYS_DIRECTORY = process.env['SLIPWAY_KEYS'] ?? 'keys';

export function keysCommand(): Command {
  return new Command('keys')
    .description('Makes, lists and replaces the keys that images and updates are signed with.')
    .addCommand(initCommand())
    .addCommand(listCommand())
    .addCommand(leafCommand())
    .addCommand(rotateCommand(DEFAULT_KEYS_DIRECTORY))
    .addCommand(revokeCommand(DEFAULT_KEYS_DIRECTORY))
    .addCommand(renewCommand(DEFAULT_KEYS_DIRECTORY));
}

function initCommand(): Command {
  return new Command('init')
    .description(
      'Makes Secure Boot keys (PK, KEK, a CA for db, a leaf that signs; the same again for debug images), the key to which machines seal their state, and the keys that sign updates. Adds what a directory lacks, and touches nothing that is there.',
    )
    .argument('[directory]', 'where', DEFAULT_KEYS_DIRECTORY)
    .option('--passphrase', `encrypt the private keys; asks, unless ${PASSPHRASE_VARIABLE} is set`)
    .option('--passphrase-file <file>', 'encrypt the private keys with the first line of this file')
    .option('--organization <name>', 'O= in the subjects of the certificates', 'Slipway')
    .option('--root-keys <n>', 'update metadata: how many root keys', positive, 1)
    .option('--root-threshold <n>', 'so many of them must sign', positive, 1)
    .option('--targets-keys <n>', 'how many keys that sign releases', positive, 1)
    .option('--targets-threshold <n>', 'so many of them must sign', positive, 1)
    .option('--channel <names...>', 'release channels, each with a key that may hold it back', ['stable'])
    .option('--json', 'print the keys as JSON')
    .action(async (directory: string, options: InitFlags) => {
      const added = await makeMissing(directory, options);
      const listing = await listAll(directory);
      if (options.json === true) return printJson(directory, listing);
      if (added.length === 0) {
        process.stdout.write(`${directory} has all keys already; nothing was changed.\n`);
        return;
      }
      process.stdout.write(
        [
          table(listing),
          '',
          `Made in ${directory}: ${added.join(', ')}.`,
          'Keep PK.key, KEK.key, db.key, tuf/root-*.key and tuf/targets-*.key offline: builds need leaf.key alone (and pcr.key, where images encrypt state), publishing the keys of snapshot, timestamp and rollout.',
          'A backup of all of them, and of the passphrase, is what machines in the field depend on.',
          '',
        ].join('\n'),
      );
    });
}

/** What was made, for people; empty when nothing was missing. */
async function makeMissing(directory: string, options: InitFlags): Promise<readonly string[]> {
  const existing = existsSync(keysFilePath(directory));
  const passphrase = await newPassphrase(options);
  if (!existing) {
    await initKeys(directory, {
      organization: options.organization,
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  }
  const likeOthers = (): Promise<string | undefined> =>
    passphraseLikeOthers(directory, passphraseSource({ prompt: () => askPassphrase() }));
  const secret = (): Promise<string | undefined> =>
    passphrase === undefined ? likeOthers() : Promise.resolve(passphrase);
  const pcr =
    existing && !hasPcrKey(directory) && (await makePcrKey(directory, { passphrase: await secret() }));
  const { made, channels } = await initTufKeys(directory, {
    passphrase: secret,
    root: keyCount(options.rootKeys, options.rootThreshold),
    targets: keyCount(options.targetsKeys, options.targetsThreshold),
    channels: options.channel,
  });
  return [
    ...(existing ? [] : ['Secure Boot keys']),
    ...(pcr || !existing ? ['a key for state partitions that a TPM opens'] : []),
    ...(made === 'all' ? ['keys for updates'] : []),
    ...(made === 'nothing' ? [] : channels.map((channel) => `channel ${channel}`)),
  ];
}

/** `--root-threshold 2` alone means that both of two must sign. */
function keyCount(keys: number, threshold: number): KeyCount {
  return { keys: Math.max(keys, threshold), threshold };
}

function listCommand(): Command {
  return new Command('list')
    .description('Lists the keys: what each is for, how long it is valid, where its private half is.')
    .argument('[directory]', 'keys directory', DEFAULT_KEYS_DIRECTORY)
    .option('--json', 'print JSON')
    .action(async (directory: string, options: { json?: true }) => {
      const listing = await listAll(directory);
      if (options.json === true) return printJson(directory, listing);
      process.stdout.write(`${table(listing)}\n`);
    });
}

function leafCommand(): Command {
  return new Command('leaf')
    .description(
      'Replaces the leaf that signs, for a new release line or a key in an HSM. Needs the private key of the CA (db.key).',
    )
    .argument('<name>', 'CN= of its certificate, for instance "image signing 2"')
    .argument('[directory]', 'keys directory', DEFAULT_KEYS_DIRECTORY)
    .option('--set <set>', 'release or debug', 'release')
    .option('--passphrase-file <file>', 'opens the private key of the CA')
    .option('--public-key <file>', 'PEM of a public key whose private half lives elsewhere; needs --signer')
    .option(
      '--signer <program>',
      'signs with it: digest on stdin, raw signature on stdout (arguments: keys.json)',
    )
    .option('--signer-environment <names...>', 'environment variables that it is given')
    .action(async (name: string, directory: string, flags: LeafFlags) => {
      const { retired } = await renewLeaf(directory, {
        set: setNamed(flags.set),
        commonName: name,
        passphrase: passphraseSource({
          ...(flags.passphraseFile === undefined ? {} : { file: flags.passphraseFile }),
          prompt: () => askPassphrase(),
        }),
        ...externalKey(flags),
      });
      process.stdout.write(
        `${directory} signs as "${name}" from now on. The old leaf's certificate is ${retired}: keep it, dbx wants it.\n`,
      );
    });
}

interface LeafFlags {
  readonly set: string;
  readonly passphraseFile?: string;
  readonly publicKey?: string;
  readonly signer?: string;
  readonly signerEnvironment?: readonly string[];
}

function setNamed(name: string): KeySetName {
  const set = KEY_SETS.find((candidate) => candidate === name);
  if (set !== undefined) return set;
  throw new SlipwayError('usage.set', `--set is ${KEY_SETS.join(' or ')}, not ${name}`);
}

function externalKey(flags: LeafFlags): Pick<LeafOptions, 'external'> {
  const { publicKey, signer, signerEnvironment } = flags;
  if (publicKey === undefined && signer === undefined) return {};
  if (publicKey === undefined || signer === undefined) {
    throw new SlipwayError('usage.signer', '--public-key and --signer belong together');
  }
  return {
    external: {
      publicKeyFile: publicKey,
      signer: { command: [signer], environment: [...(signerEnvironment ?? [])], timeoutSeconds: 120 },
    },
  };
}

interface InitFlags {
  readonly passphrase?: true;
  readonly passphraseFile?: string;
  readonly organization: string;
  readonly rootKeys: number;
  readonly rootThreshold: number;
  readonly targetsKeys: number;
  readonly targetsThreshold: number;
  readonly channel: readonly string[];
  readonly json?: true;
}

/** A passphrase in the environment is used whether or not it was asked for: who sets it wants encrypted keys. */
async function newPassphrase(flags: InitFlags): Promise<string | undefined> {
  const source = passphraseSource({
    ...(flags.passphraseFile === undefined ? {} : { file: flags.passphraseFile }),
    ...(flags.passphrase === undefined ? {} : { prompt: askNewPassphrase }),
  });
  const passphrase = await source();
  if (passphrase === undefined && flags.passphrase === true) {
    throw new SlipwayError('usage.passphrase', 'there is no terminal to ask for a passphrase at', {
      hint: `use --passphrase-file or ${PASSPHRASE_VARIABLE}`,
    });
  }
  return passphrase;
}

interface Listing {
  readonly keys: readonly ListedKey[];
  readonly pcr: ListedPcrKey | undefined;
  readonly updates: TufKeyList | undefined;
}

async function listAll(directory: string): Promise<Listing> {
  return {
    keys: await listKeys(directory),
    pcr: await listPcrKey(directory),
    updates: await tufKeysOf(directory),
  };
}

/** A part that the directory does not have is left out. */
function printJson(directory: string, listing: Listing): void {
  process.stdout.write(`${JSON.stringify({ format: '1.0', directory, ...listing }, undefined, 2)}\n`);
}

function table({ keys, pcr, updates }: Listing): string {
  const images = aligned([
    ['KEY', 'SUBJECT', 'FOR', 'VALID', 'PRIVATE KEY', 'SHA-256'],
    ...keys.map((key) => [
      key.set === 'debug' ? `debug/${key.role}` : key.role,
      key.subject,
      key.purpose,
      `${key.notBefore.slice(0, 10)} to ${key.notAfter.slice(0, 10)}`,
      key.privateKey,
      key.fingerprint.slice(0, 16),
    ]),
    ...(pcr === undefined
      ? []
      : [
          [
            'pcr',
            '',
            'TPMs open state under what it signs',
            '',
            pcr.privateKey,
            pcr.fingerprint.slice(0, 16),
          ],
        ]),
  ]);
  if (updates === undefined) return `${images}\n\nNo keys for updates yet; slipway keys init adds them.`;
  const { version, expires } = updates.root;
  return [
    images,
    '',
    aligned(tufKeyRows(updates)),
    '',
    `Root is version ${version}, and expires on ${expires.slice(0, 10)}: slipway keys renew signs one that lives longer.`,
  ].join('\n');
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
