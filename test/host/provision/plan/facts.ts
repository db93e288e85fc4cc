/** Machines as the plan sees them, and plans for what people write. */
import type { DiskFacts, MachineFacts, PartitionFacts } from '../../../../host/provision/plan/facts.ts';
import { planConfig } from '../../../../host/provision/plan/plan.ts';
import type { ActionOf, Action, ConfigPlan, Step } from '../../../../host/provision/plan/step.ts';
import { RIGHTS, type ProvisioningPolicy } from '../../../../spec/provisioning.ts';
import { config } from '../document/reading.ts';

export const GIB = 1024 ** 3;

export const FACTS: MachineFacts = {
  source: 'nocloud',
  instanceId: 'i-1',
  platform: { hostname: null, publicKeys: [] },
  image: {
    users: [{ name: 'admin', uid: 1000, groups: ['operators'], shell: '/bin/sh', sshAuthorizedKeys: [] }],
    services: ['network', 'time', 'ssh'],
    sshServer: 'openssh',
  },
  accounts: {
    users: { root: 0, sshd: 100, nobody: 65534 },
    groups: { root: 0, tty: 5, operators: 900, nogroup: 65534 },
  },
  remembered: { users: {}, groups: {} },
  defaultHostname: 'minimal-01234567',
  memoryBytes: GIB,
  stateFreeBytes: 8 * GIB,
  programs: [],
  disks: [],
};

export const POLICY: ProvisioningPolicy = {
  format: '1.0',
  sources: { nocloud: RIGHTS },
  scripts: 'container',
  platform: 'auto',
};

/** Of a #cloud-config of these lines. */
export async function plan(
  lines: readonly string[],
  facts: Partial<MachineFacts> = {},
  policy: ProvisioningPolicy = POLICY,
): Promise<ConfigPlan> {
  const read = await config(...lines);
  const errors = read.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return planConfig(read.config, { ...FACTS, ...facts }, policy);
}

export function stepsOf<Kind extends Action['kind']>(
  { steps }: ConfigPlan,
  kind: Kind,
): readonly (Step & ActionOf<Kind>)[] {
  return steps.filter((step): step is Step & ActionOf<Kind> => step.kind === kind);
}

/** `key line state: reason` */
export function verdicts({ verdicts: all }: ConfigPlan): string[] {
  return all.map(
    ({ key, at, state, reason }) => `${key} ${at.line} ${state}${reason === null ? '' : `: ${reason}`}`,
  );
}

export function disk(change: Partial<DiskFacts> = {}): DiskFacts {
  return {
    path: '/dev/vdb',
    serial: null,
    sizeBytes: 10 * GIB,
    sectorBytes: 512,
    own: false,
    readOnly: false,
    inUse: false,
    table: null,
    content: { kind: 'empty' },
    partitions: [],
    ...change,
  };
}

export function partition(number: number, change: Partial<PartitionFacts> = {}): PartitionFacts {
  return {
    number,
    path: `/dev/vdb${number}`,
    startSector: 2048,
    sectors: 1_000_000,
    type: '83',
    inUse: false,
    content: { kind: 'empty' },
    ...change,
  };
}

export const EXT4 = { kind: 'known', type: 'ext4', label: 'data', uuid: '' } as const;
