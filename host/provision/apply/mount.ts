/** Mounts, at every boot anew. */
import type { System } from '../../../system/system.ts';
import type { MountAction } from '../plan/step.ts';
import { readDisks } from './block-devices.ts';
import { busybox, run } from './command.ts';
import { openDirectory } from './directory.ts';
import { done, failed, type StepResult } from './result.ts';

const E2FSCK = '/usr/sbin/e2fsck';
/** e2fsck(8): errors were corrected. */
const REPAIRED = 1;

export async function applyMount(system: System, action: MountAction): Promise<StepResult> {
  const { target, type, options, check, optional } = action;
  const mounted = mountedAt(system, target);
  if (mounted !== undefined) return done(false);
  const found = resolveDevice(system, action.device);
  if (found.missing) {
    const reason = `there is no ${action.device}`;
    return optional ? done(false, `${reason}: nothing is mounted on ${target}`) : failed(reason);
  }
  const isDevice = found.path.startsWith('/dev/');
  if (isDevice && isOwn(system, found.path))
    return failed(`${found.path} belongs to the disk that this machine runs from`);
  if (check && isDevice && /^(ext[234]|auto)$/.test(found.type ?? type) && /^ext/.test(found.type ?? type)) {
    const { code, says } = await run(system, [E2FSCK, '-p', found.path]);
    if (code > REPAIRED) return failed(`${found.path} is damaged: ${says}`);
  }
  const directory = await openDirectory(system, target, { uid: 0, gid: 0 });
  if ('problem' in directory) return failed(directory.problem);
  const { code, says } = await busybox(system, [
    'mount',
    ...(type === 'auto'
      ? found.type === undefined
        ? []
        : ['-t', found.type]
      : type === 'none'
        ? []
        : ['-t', type]),
    ...['-o', options.join(',')],
    found.path,
    directory.at('.'),
  ]);
  directory.close();
  return code === 0 ? done(true) : failed(`${found.path} cannot be mounted on ${target}: ${says}`);
}

interface Resolved {
  readonly path: string;
  readonly missing: boolean;
  /** What stands on it. */
  readonly type?: string;
}

/** `LABEL=`, `UUID=` on disks that are not ours; a path as it is. */
export function resolveDevice(system: System, device: string): Resolved {
  const [, kind, name = ''] = /^(LABEL|UUID)=(.*)$/.exec(device) ?? [];
  if (kind === undefined && !device.startsWith('/')) return { path: device, missing: false };
  if (kind === undefined && !device.startsWith('/dev/'))
    return { path: device, missing: system.status(device) === undefined };
  for (const disk of readDisks(system)) {
    if (disk.own && kind !== undefined) continue;
    for (const { path, content } of [disk, ...disk.partitions]) {
      const isIt =
        kind === undefined
          ? path === device
          : content.kind === 'known' &&
            (kind === 'LABEL' ? content.label === name : content.uuid.toLowerCase() === name.toLowerCase());
      if (isIt) return { path, missing: false, ...(content.kind === 'known' ? { type: content.type } : {}) };
    }
  }
  return { path: device, missing: kind !== undefined || system.status(device) === undefined };
}

export function isOwn(system: System, path: string): boolean {
  return readDisks(system).some(
    (disk) => disk.own && (disk.path === path || disk.partitions.some((one) => one.path === path)),
  );
}

function mountedAt(system: System, target: string): string | undefined {
  const lines = (system.readText('/proc/mounts') ?? '').split('\n').map((line) => line.split(' '));
  return lines.find(([, at]) => at === target.replaceAll(' ', '\\040'))?.[0];
}
