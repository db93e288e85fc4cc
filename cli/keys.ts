/** `slipway keys`: makes and lists the keys that images are signed with. */
import { Command } from 'commander';
import { SlipwayError } from '../spec/error.ts';
import { initKeys } from '../builder/keys/init.ts';
import { KEY_SETS, type KeySetName } from '../builder/keys/directory.ts';
import { renewLeaf, type LeafOptions } from '../builder/keys/leaf.ts';
import { listKeys, type ListedKey } from '../builder/keys/list.ts';
import { PASSPHRASE_VARIABLE, passphraseSource } from '../builder/keys/passphrase.ts';
import { askNewPassphrase, askPassphrase } from './passphrase.ts';

const DEFAULT_KEYS_DIRECTORY = process.env['SLIPWAY_KEYS'] ?? 'keys';

export function keysCommand(): Command {
  return new Command('keys')
    .description('Makes and lists the keys that images are signed with.')
    .addCommand(initCommand())
    .addCommand(listCommand())
    .addCommand(leafCommand());
}

function initCommand(): Command {
  return new Command('init')
    .description(
      'Makes Secure Boot keys: PK, KEK, a CA for db and a leaf that signs; and the same again for debug images.',
    )
    .argument('[directory]', 'where; it must not exist yet, or be empty', DEFAULT_KEYS_DIRECTORY)
    .option('--passphrase', `encrypt the private keys; asks, unless ${PASSPHRASE_VARIABLE} is set`)
    .option('--passphrase-file <file>', 'encrypt the private keys with the first line of this file')
    .option('--organization <name>', 'O= in the subjects of the certificates', 'Slipway')
    .option('--json', 'print the keys as JSON')
    .action(async (directory: string, options: InitFlags) => {
      const passphrase = await newPassphrase(options);
      await initKeys(directory, {
        organization: options.organization,
        ...(passphrase === undefined ? {} : { passphrase }),
      });
      const keys = await listKeys(directory);
      if (options.json === true) return printJson(directory, keys);
      process.stdout.write(
        [
          table(keys),
          '',
          `Keys are in ${directory}. Keep PK.key, KEK.key and db.key offline: builds need leaf.key alone.`,
          'A backup of all of them, and of the passphrase, is what machines in the field depend on.',
          '',
        ].join('\n'),
      );
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('Lists the keys: what each is for, how long it is valid, where its private half is.')
    .argument('[directory]', 'keys directory', DEFAULT_KEYS_DIRECTORY)
    .option('--json', 'print JSON')
    .action(async (directory: string, options: { json?: true }) => {
      const keys = await listKeys(directory);
      if (options.json === true) return printJson(directory, keys);
      process.stdout.write(`${table(keys)}\n`);
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

function printJson(directory: string, keys: readonly ListedKey[]): void {
  process.stdout.write(`${JSON.stringify({ format: '1.0', directory, keys }, undefined, 2)}\n`);
}

function table(keys: readonly ListedKey[]): string {
  const rows = keys.map((key) => [
    key.set === 'debug' ? `debug/${key.role}` : key.role,
    key.subject,
    key.purpose,
    `${key.notBefore.slice(0, 10)} to ${key.notAfter.slice(0, 10)}`,
    key.privateKey,
    key.fingerprint.slice(0, 16),
  ]);
  const all = [['KEY', 'SUBJECT', 'FOR', 'VALID', 'PRIVATE KEY', 'SHA-256'], ...rows];
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? [];
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
