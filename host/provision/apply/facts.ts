/** Gathers what the plan must know of the machine. Disks are only looked at where a configuration has to do with any. */
import { MACHINE_PATHS, type MachineDescription } from '../../../spec/machine.ts';
import type { DatasourceName } from '../../../spec/provisioning.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import { accountFiles } from '../../slipd/accounts.ts';
import { PROGRAMS } from '../../slipd/paths.ts';
import type { MachineConfig } from '../config.ts';
import type { MachineFacts } from '../plan/facts.ts';
import { readIds } from './accounts.ts';

/** Of a source (host/provision/source/found.ts). */
export interface SourceFacts {
  readonly source: DatasourceName;
  readonly instanceId: string;
  readonly metaData: { readonly localHostname?: string; readonly publicKeys: readonly string[] };
}

const SSH = `${MACHINE_PATHS.containers}/ssh/rootfs/usr/sbin`;

export async function readFacts(
  system: System,
  config: MachineConfig,
  found: SourceFacts,
): Promise<MachineFacts> {
  const signed = JSON.parse(system.readText(MACHINE_PATHS.description) ?? '') as MachineDescription;
  const hasDisks = config.disks.length + config.fileSystems.length + config.mounts.length > 0;
  return {
    source: found.source,
    instanceId: found.instanceId,
    platform: { hostname: found.metaData.localHostname ?? null, publicKeys: found.metaData.publicKeys },
    image: {
      users: signed.users,
      services: signed.services.map(({ name }) => name),
      sshServer:
        system.status(`${SSH}/sshd`) !== undefined
          ? 'openssh'
          : system.status(`${SSH}/dropbear`) !== undefined
            ? 'dropbear'
            : null,
    },
    accounts: readAccounts(system, signed),
    remembered: readIds(system),
    defaultHostname: system.readText(`${MACHINE_PATHS.generatedEtc}/hostname`)?.trim() ?? signed.image.name,
    memoryBytes: readMemory(system),
    stateFreeBytes: config.swap === undefined ? 0 : await readFree(system, config.swap.path.value),
    programs: readPrograms(system, config),
    disks: hasDisks ? (await import('./block-devices.ts')).readDisks(system) : [],
  };
}

/** With the groups that slipd makes of the image's users. */
function readAccounts(system: System, { users }: MachineDescription): MachineFacts['accounts'] {
  const base = {
    passwd: system.readText('/etc/passwd.base') ?? '',
    group: system.readText('/etc/group.base') ?? '',
  };
  const { group } = accountFiles(users, base, []);
  const own = new Set(users.map(({ name }) => name));
  return { users: idsOf(base.passwd), groups: idsOf(group, own) };
}

/** Name and number of each line; users' own groups are theirs. */
function idsOf(text: string, without: ReadonlySet<string> = new Set()): Readonly<Record<string, number>> {
  const entries = text
    .split('\n')
    .map((line) => line.split(':'))
    .filter(([name = '', , id]) => name !== '' && id !== undefined && !without.has(name))
    .map(([name = '', , id]) => [name, Number(id)] as const);
  return Object.fromEntries(entries);
}

function readMemory(system: System): number {
  const [, kib = '0'] = /^MemTotal:\s+(\d+) kB/m.exec(system.readText('/proc/meminfo') ?? '') ?? [];
  return Number(kib) * 1024;
}

/** A swap file that is there already would be made anew. */
async function readFree(system: System, swapFile: string): Promise<number> {
  const { code, stdout } = await runProgram(system, [PROGRAMS.busybox, 'df', '-kP', '/var']);
  const [, , , free = '0'] = system.decode(stdout).trim().split('\n').at(-1)?.split(/\s+/) ?? [];
  const present = system.linkStatus(swapFile)?.sizeBytes ?? 0;
  return code === 0 ? Number(free) * 1024 + present : 0;
}

function readPrograms(system: System, { fileSystems }: MachineConfig): readonly string[] {
  const types = [...new Set(fileSystems.map(({ type }) => type.value))].sort();
  return types
    .filter((type) => /^[a-z0-9]+$/.test(type))
    .flatMap((type) => ['/usr/sbin', '/usr/bin'].map((directory) => `${directory}/mkfs.${type}`))
    .filter((path) => system.status(path) !== undefined);
}
