/** `slip config status`: source, digest, every key, and what keeps other sources from being heard. */
import type { ConfigStatus, KeyStatus, ProvisioningPolicy } from '../../../spec/provisioning.ts';
import { formatTable } from '../../../system/format.ts';
import type { System } from '../../../system/system.ts';
import { lookOffline } from '../source/look-offline.ts';
import { readStatus } from '../status.ts';
import { print, type OutputFormat } from './output.ts';

export async function showStatus(
  system: System,
  policy: ProvisioningPolicy,
  format: OutputFormat,
): Promise<void> {
  const known = readStatus(system);
  const status = { ...known, notes: [...known.notes, ...(await strangers(system, policy, known))] };
  print(system, format === 'json' ? JSON.stringify(status) : describeStatus(status));
}

/** The page that people see. */
export function describeStatus(status: ConfigStatus): string {
  const rows = [
    ['configuration', status.state],
    ['source', status.source === null ? 'none' : `${status.source}: ${status.origin ?? ''}`],
    ...(status.instanceId === null ? [] : [['instance', status.instanceId]]),
    ...(status.digest === null ? [] : [['digest', status.digest.slice(0, 16)]]),
    ...(status.revertsAt === null
      ? []
      : [['reverts', `${new Date(status.revertsAt * 1000).toISOString()}, unless: slip config confirm`]]),
    ...status.problems.map((problem, index) => [index === 0 ? 'problems' : '', problem]),
    ...status.notes.map((note, index) => [index === 0 ? 'notes' : '', note]),
  ];
  const keys = status.keys.map((key) => [key.key, key.state, place(key), key.reason ?? '']);
  const table = keys.length === 0 ? '' : `\n\n${formatTable([['KEY', 'STATE', 'LINE', ''], ...keys])}`;
  return `${formatTable(rows)}${table}`;
}

function place({ file, line }: KeyStatus): string {
  return `${file}:${line}`;
}

/** Sources that are there, and are not heard, since this machine was adopted by another kind. */
async function strangers(
  system: System,
  policy: ProvisioningPolicy,
  { source }: ConfigStatus,
): Promise<readonly string[]> {
  if (source === null) return [];
  const { [source]: _, ...others } = policy.sources;
  const seed = await lookOffline(system, { ...policy, sources: others }, { storage: 'present' }).catch(
    () => undefined,
  );
  if (seed === undefined || seed.source === 'built-in') return [];
  return [
    `${seed.origin} (${seed.source}) is not heard: this machine was adopted by ${source}; slip config reset changes that`,
  ];
}
