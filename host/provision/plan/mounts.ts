/** `mounts`: below /var alone, where services can be given them; never anything of the machine's own disk. */
import type { MachineConfig, MountEntry } from '../config.ts';
import { findDevice, OWN_DISK } from './devices.ts';
import type { DiskFacts } from './facts.ts';
import { hostPath, HOMES, isBelow } from './paths.ts';
import type { MountAction, Step, SwapAction, Verdict } from './step.ts';

const KEY = 'mounts';
/** Of fstab(5): for others than mount. */
const FOR_OTHERS =
  /^(defaults|auto|noauto|nofail|_netdev|users?|nouser|owner|group|comment=.*|x-.*|suid|dev)$/;
const NETWORK_TYPES = /^(nfs4?|cifs|smb3|ceph|9p|glusterfs)$/;

export function planMounts(
  config: MachineConfig,
  disks: readonly DiskFacts[],
): { readonly steps: readonly Step[]; readonly verdicts: readonly Verdict[] } {
  const steps: Step[] = [];
  const verdicts: Verdict[] = [];
  for (const entry of config.mounts) {
    const outcome = planMount(entry, config, disks);
    if ('kind' in outcome)
      steps.push({ key: KEY, at: entry.at, phase: needsNetwork(entry) ? 'online' : 'state', ...outcome });
    else verdicts.push({ key: KEY, at: entry.at, ...outcome });
  }
  // What is mounted below another one comes after it, in whatever order they were written.
  const ordered = [...steps].sort((a, b) => depth(a) - depth(b));
  return { steps: ordered, verdicts };
}

type Outcome = Pick<Verdict, 'state' | 'reason'>;

function planMount(
  entry: MountEntry,
  config: MachineConfig,
  disks: readonly DiskFacts[],
): Outcome | MountAction | SwapAction {
  const options = entry.options.flatMap(({ value }) => value.split(',')).filter((option) => option !== '');
  if (options.includes('noauto'))
    return { state: 'ignored', reason: 'it says `noauto`, and nobody else mounts it' };
  const isDevice =
    /^(\/dev\/|[A-Za-z][A-Za-z0-9.]*$)/.test(entry.device.value) && !isPseudo(entry.type.value);
  const { path, device } = isDevice
    ? findDevice(entry.device.value, config, disks)
    : { path: entry.device.value, device: undefined };
  const labelled = disks.find(
    (disk) => disk.own && disk.partitions.some(({ content }) => isNamed(entry.device.value, content)),
  );
  if (device?.disk.own === true || labelled !== undefined) return { state: 'refused', reason: OWN_DISK };
  if (entry.type.value === 'swap') {
    if (isDevice || /^(LABEL|UUID)=/.test(path)) return { kind: 'swap', device: path, sizeBytes: null };
    const file = hostPath(path);
    return 'problem' in file ? failed(file.problem) : { kind: 'swap', device: file.path, sizeBytes: null };
  }
  const target = mountPoint(entry.target.value);
  if ('problem' in target) return failed(target.problem);
  const source = options.some((option) => option === 'bind' || option === 'rbind')
    ? hostPath(path)
    : { path };
  if ('problem' in source) return failed(source.problem);
  return {
    kind: 'mount',
    device: source.path,
    target: target.path,
    type: entry.type.value,
    options: [...new Set([...options.filter((option) => !FOR_OTHERS.test(option)), 'nosuid', 'nodev'])],
    check: entry.pass.value > 0,
    optional: options.includes('nofail'),
  };
}

function mountPoint(target: string): { readonly path: string } | { readonly problem: string } {
  const found = hostPath(target);
  if ('problem' in found)
    return {
      problem: `the root file system is read-only: mount it below /var/mnt (${target} could be ${suggestion(target)})`,
    };
  if (isBelow(found.path, HOMES)) return { problem: 'homes belong to their users: mount it below /var/mnt' };
  return isBelow(found.path, '/var')
    ? found
    : { problem: `${target} is lost with the boot: mount it below /var/mnt` };
}

function suggestion(target: string): string {
  return `/var/mnt/${
    target
      .replace(/^\/(mnt|media)(?=\/|$)/, '')
      .replace(/^\/+/, '')
      .replaceAll('/', '-') || 'data'
  }`;
}

function isNamed(device: string, content: DiskFacts['content']): boolean {
  if (content.kind !== 'known') return false;
  const [, kind, name] = /^(LABEL|UUID)=(.*)$/.exec(device) ?? [];
  return kind === 'LABEL'
    ? content.label === name
    : kind === 'UUID' && content.uuid.toLowerCase() === name?.toLowerCase();
}

function isPseudo(type: string): boolean {
  return /^(tmpfs|proc|sysfs|overlay|none)$/.test(type) || NETWORK_TYPES.test(type);
}

function needsNetwork({ type, options }: MountEntry): boolean {
  return NETWORK_TYPES.test(type.value) || options.some(({ value }) => value.split(',').includes('_netdev'));
}

function depth(step: Step): number {
  return step.kind === 'mount' ? step.target.split('/').length : 0;
}

function failed(reason: string): Outcome {
  return { state: 'failed', reason };
}
