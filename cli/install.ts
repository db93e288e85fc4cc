/** `slipway install`: a running Linux machine, reached by SSH, becomes one of Slipway's. */
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline/promises';
import { Command, Option } from 'commander';
import { openExportSource } from '../builder/export/source.ts';
import { loadKeys } from '../builder/keys/load.ts';
import { parseSshAddress } from '../builder/takeover/address.ts';
import type { TakeoverPlan } from '../builder/takeover/plan.ts';
import type { RemoteMachine } from '../builder/takeover/probe.ts';
import type { SeedDocuments } from '../builder/takeover/seeded-state.ts';
import { takeOver } from '../builder/takeover/takeover.ts';
import { DiagnosticsError } from '../spec/diagnostic.ts';
import { SlipwayError } from '../spec/error.ts';
import { collect, wholeNumber } from './option-values.ts';
import { terminalProgress } from './progress.ts';
import { serviceTable } from './service-table.ts';
import { validateProvisioning, type ProvisioningKind } from './validate-provisioning.ts';

interface InstallFlags {
  readonly disk?: string;
  readonly overwrite?: 'wipe';
  readonly dryRun?: true;
  readonly userData?: string;
  readonly networkConfig?: string;
  readonly carryKeys: boolean;
  readonly identity?: string;
  readonly sshOption: readonly string[];
  readonly keys: string;
  readonly afterUser: string;
  readonly afterHost?: string;
  readonly afterPort?: number;
  readonly limit: number;
  readonly json?: true;
}

export function installCommand(): Command {
  return new Command('install')
    .description(
      'Turns a running Linux machine, of any distribution, into one of Slipway’s over SSH: everything that it takes is held in its memory, written, ' +
        'read back, and started; then waits until the machine is healthy.',
    )
    .argument('<machine>', 'ssh://[user@]host[:port]; the login must be root’s')
    .argument('<build>', 'the folder of a build, for example build/minimal')
    .option(
      '--disk <DISK>',
      '/dev/sda, serial:..., size:..., smallest, largest (default: the one that the old system runs from)',
    )
    .addOption(new Option('--overwrite <HOW>', 'say `wipe`, without being asked').choices(['wipe']))
    .option('--dry-run', 'look, and tell what would be done')
    .option('--user-data <FILE>', 'configuration for its first boot (#cloud-config)')
    .option('--network-config <FILE>', 'network configuration for its first boot (version 1 or 2)')
    .option('--no-carry-keys', 'without --user-data: do not let the old login’s SSH keys into the new system')
    .option('--identity <FILE>', 'private key for SSH, now and afterwards')
    .option('--ssh-option <NAME=VALUE>', 'an option of OpenSSH’s client; repeatable', collect, [])
    .option('--keys <DIR>', 'keys that the build was signed under', process.env['SLIPWAY_KEYS'] ?? 'keys')
    .option('--after-user <NAME>', 'who logs in afterwards', 'admin')
    .option('--after-host <HOST>', 'where it is afterwards, if elsewhere')
    .option('--after-port <PORT>', 'where its SSH is afterwards, if not on 22', wholeNumber(1, 65_535))
    .option(
      '--limit <seconds>',
      'how long it may take from its restart until it is healthy',
      wholeNumber(0, 999_999),
      600,
    )
    .option('--json', 'print the status of the new system as JSON')
    .action(install);
}

async function install(machine: string, build: string, flags: InstallFlags): Promise<void> {
  const address = parseSshAddress(machine);
  const source = await openExportSource(build);
  const keys = await loadKeys(flags.keys);
  const given = await seedFiles(flags);
  const status = await takeOver(source, address, {
    ssh: {
      settings: flags.sshOption,
      ...(flags.identity === undefined ? {} : { identity: flags.identity }),
    },
    ...(flags.disk === undefined ? {} : { disk: flags.disk }),
    trustAnchor: keys.sets[source.build?.debug === true ? 'debug' : 'release'].db.certificate,
    seed: ({ authorizedKeys }) =>
      given['user-data'] !== undefined || !flags.carryKeys
        ? given
        : { ...given, ...keysDocument(authorizedKeys) },
    confirm: (plan, remote) => confirm(plan, remote, flags),
    after: {
      user: flags.afterUser,
      limitMs: flags.limit * 1000,
      ...(flags.afterHost === undefined ? {} : { host: flags.afterHost }),
      ...(flags.afterPort === undefined ? {} : { port: flags.afterPort }),
    },
    progress: terminalProgress(),
  });
  if (status === undefined) return;
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify(status, null, 2)}\n`
      : `\n${status.image.name} ${status.image.version} is healthy\n\n${serviceTable(status)}\n`,
  );
}

async function seedFiles({ userData, networkConfig }: InstallFlags): Promise<SeedDocuments> {
  const read = async (kind: ProvisioningKind, path: string | undefined): Promise<SeedDocuments> => {
    if (path === undefined) return {};
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new SlipwayError('usage.no-such-file', `there is no ${path}`, { cause });
    });
    // Nobody stands before the machine when it reads this.
    const diagnostics = await validateProvisioning(kind, path, bytes);
    if (diagnostics.some(({ severity }) => severity === 'error')) throw new DiagnosticsError(diagnostics);
    return { [kind]: bytes };
  };
  return { ...(await read('user-data', userData)), ...(await read('network-config', networkConfig)) };
}

/** Whoever could log in can log in: a machine far away must not be lost for want of a key. Options before a key are not taken over. */
function keysDocument(lines: readonly string[]): SeedDocuments {
  const keys = lines.flatMap(
    (line) => /(?:^|\s)((?:ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+)/.exec(line)?.[1] ?? [],
  );
  if (keys.length === 0) return {};
  const document = ['#cloud-config', 'ssh_authorized_keys:', ...keys.map((key) => `  - ${key}`), ''].join(
    '\n',
  );
  return { 'user-data': document, 'meta-data': 'instance-id: installed\n' };
}

async function confirm(plan: TakeoverPlan, { host }: RemoteMachine, flags: InstallFlags): Promise<boolean> {
  process.stderr.write(`\n${plan.lines.join('\n')}\n\n`);
  if (flags.dryRun === true) return false;
  if (flags.overwrite === 'wipe') return true;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw new SlipwayError('install.not-confirmed', `/dev/${plan.disk.name} of ${host} holds data`, {
      hint: 'say --overwrite wipe if all of it may go; nothing was changed',
    });
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await lines.question(
      `Everything on /dev/${plan.disk.name} will be lost. Type the machine's name to go on: `,
    );
    if (answer.trim() === host) return true;
    process.stderr.write('That is not its name: nothing was changed.\n');
    return false;
  } finally {
    lines.close();
  }
}
