/**
 * `fs_setup`. Ignition's rule: a file system of the wanted type and label is used as it is; anything else is only replaced where
 * `overwrite: true` (or `replace_fs`) says so; an empty device gets one.
 */
import type { FileSystemEntry, MachineConfig } from '../config.ts';
import { describeContent, findDevice, OWN_DISK, type Device } from './devices.ts';
import type { Content, DiskFacts, MachineFacts } from './facts.ts';
import type { FormatAction, Step, Verdict } from './step.ts';

const KEY = 'fs_setup';
/** Made without any program of their own; others where the image has `mkfs.<type>`. */
const BUILT_IN = ['ext4', 'vfat', 'swap'];
/** In bytes. */
const LABEL_LIMITS: Readonly<Record<string, number>> = { ext4: 16, vfat: 11, swap: 15, xfs: 12 };

interface Target {
  readonly path: string;
  readonly content: Content;
  readonly inUse: boolean;
}

export function planFileSystems(
  config: MachineConfig,
  facts: MachineFacts,
  disks: readonly DiskFacts[],
): { readonly steps: readonly Step[]; readonly verdicts: readonly Verdict[] } {
  const steps: Step[] = [];
  const verdicts: Verdict[] = [];
  const taken = new Set<string>();
  for (const entry of config.fileSystems) {
    const outcome = planOne(entry, config, facts, disks, taken);
    if (!('kind' in outcome)) {
      verdicts.push({ key: KEY, at: entry.at, state: outcome.state, reason: outcome.reason });
      continue;
    }
    taken.add(outcome.device);
    steps.push({ key: KEY, at: entry.at, phase: 'state', ...outcome });
  }
  return { steps, verdicts };
}

type Outcome = Pick<Verdict, 'state' | 'reason'>;

function planOne(
  entry: FileSystemEntry,
  config: MachineConfig,
  facts: MachineFacts,
  disks: readonly DiskFacts[],
  taken: ReadonlySet<string>,
): Outcome | FormatAction {
  const { path, device } = findDevice(entry.device.value, config, disks);
  if (device === undefined) return failed(`there is no device ${path}`);
  if (device.disk.own) return { state: 'refused', reason: OWN_DISK };
  const type = entry.type.value;
  if (!BUILT_IN.includes(type) && !facts.programs.some((program) => program.endsWith(`/mkfs.${type}`)))
    return failed(`no program of this image makes ${type}: ext4, vfat and swap need none`);
  if (type === 'swap' ? entry.options.length > 0 : BUILT_IN.includes(type) && entry.options.length > 0)
    return failed(`${type} is made without options (extra_opts)`);
  const label = entry.label?.value ?? null;
  const limit = LABEL_LIMITS[type];
  if (label !== null && limit !== undefined && (label.length > limit || !/^[\x20-\x7e]*$/.test(label)))
    return failed(`a label of ${type} is at most ${limit} characters of ASCII`);

  const found = chooseTarget(entry, device, taken);
  if (!('path' in found)) return found;
  const { content } = found;
  if (content.kind === 'known' && content.type === type && (label === null || content.label === label))
    return { state: 'applied', reason: `${found.path} has one already: it is used as it is` };
  if (found.inUse) return failed(`${found.path} is in use`);
  if (device.disk.readOnly) return failed(`${found.path} is read-only`);
  const replaceType = entry.replaceType?.value;
  const overwrite: FormatAction['overwrite'] | undefined =
    content.kind === 'empty'
      ? 'if-empty'
      : entry.overwrite.value
        ? 'replace'
        : content.kind === 'known' && content.type === replaceType
          ? { type: replaceType }
          : undefined;
  if (overwrite === undefined)
    return failed(`${found.path} holds ${describeContent(content)}: \`overwrite: true\` would erase it`);
  return {
    kind: 'format',
    device: found.path,
    type,
    label,
    overwrite,
    options: entry.options.map(({ value }) => value),
  };
}

/** `partition: auto|any`: one that has it already, else the first that holds nothing, else one of the type that may be replaced. */
function chooseTarget(
  { partition, type, label, replaceType }: FileSystemEntry,
  { disk, partition: named }: Device,
  taken: ReadonlySet<string>,
): Target | Outcome {
  if (named !== undefined) return named;
  const whole: Target = { path: disk.path, content: disk.content, inUse: disk.inUse };
  const wanted = partition?.value ?? 'none';
  if (wanted === 'none')
    return disk.table === null
      ? whole
      : failed(`${disk.path} has partitions: say which (\`partition: 1\`, or \`auto\`)`);
  if (typeof wanted === 'number')
    return (
      disk.partitions.find(({ number }) => number === wanted) ??
      failed(`${disk.path} has no partition ${wanted}`)
    );
  const candidates = disk.table === null ? [whole] : disk.partitions;
  const fits = ({ content }: Target): boolean =>
    content.kind === 'known' &&
    content.type === type.value &&
    (wanted === 'any' || label === undefined || content.label === label.value);
  return (
    candidates.find(fits) ??
    candidates.find(({ content, path }) => content.kind === 'empty' && !taken.has(path)) ??
    candidates.find(({ content }) => content.kind === 'known' && content.type === replaceType?.value) ??
    candidates.find(({ path }) => !taken.has(path)) ??
    failed(`${disk.path} has no partition for it`)
  );
}

function failed(reason: string): Outcome {
  return { state: 'failed', reason };
}
