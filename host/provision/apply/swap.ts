/** Swap, at every boot anew; a file is made where it is missing. */
import type { System } from '../../../system/system.ts';
import { hostPath } from '../plan/paths.ts';
import type { SwapAction } from '../plan/step.ts';
import { busybox } from './command.ts';
import { openDirectory, splitPath } from './directory.ts';
import { isOwn, resolveDevice } from './mount.ts';
import { probeContent } from './probe.ts';
import { done, failed, reasonOf, type StepResult } from './result.ts';

const ROOT = { uid: 0, gid: 0 };
const PRIVATE = 0o600;

export async function applySwap(system: System, { device, sizeBytes }: SwapAction): Promise<StepResult> {
  const found = /^(\/dev\/|LABEL=|UUID=)/.test(device) ? resolveDevice(system, device) : undefined;
  if (found?.missing === true) return failed(`there is no ${device}`);
  const path = found?.path ?? device;
  const swaps = (system.readText('/proc/swaps') ?? '').split('\n').map((line) => line.split(/\s/)[0]);
  if (swaps.includes(path)) return done(false);
  if (found !== undefined) {
    if (isOwn(system, path)) return failed(`${path} belongs to the disk that this machine runs from`);
    return swapOn(system, path, path);
  }
  const allowed = hostPath(path);
  if ('problem' in allowed) return failed(allowed.problem);
  const { directory: parent, name } = splitPath(path);
  const directory = await openDirectory(system, parent, ROOT);
  if ('problem' in directory) return failed(directory.problem);
  try {
    const target = directory.at(name);
    const problem =
      fileProblem(system, target, sizeBytes, path) ?? (await makeFile(system, directory.at, name, sizeBytes));
    return problem === undefined ? await swapOn(system, target, path) : failed(problem);
  } finally {
    directory.close();
  }
}

/** A file that is something else is not taken. */
function fileProblem(
  system: System,
  target: string,
  sizeBytes: number | null,
  path: string,
): string | undefined {
  const status = system.linkStatus(target);
  if (status === undefined) return sizeBytes === null ? `there is no ${path}` : undefined;
  if (status.kind !== 'file' || status.links > 1) return `${path} is there, and is no swap file`;
  return isSwap(system, target, status.sizeBytes) ? undefined : `${path} is there, and is no swap file`;
}

async function makeFile(
  system: System,
  at: (name: string) => string,
  name: string,
  sizeBytes: number | null,
): Promise<string | undefined> {
  const present = system.linkStatus(at(name));
  if (sizeBytes === null || present?.sizeBytes === sizeBytes) return undefined;
  const temporary = at(`.${name}.slipway-new`);
  system.remove(temporary);
  const fd = system.open(temporary, {
    access: 'write',
    noFollow: true,
    create: { mode: PRIVATE, exclusive: true },
  });
  if (fd < 0) return `the swap file cannot be made: ${reasonOf(fd)}`;
  system.close(fd);
  for (const argv of [
    ['fallocate', '-l', `${sizeBytes}`, temporary],
    ['mkswap', temporary],
    ['sync', temporary],
  ]) {
    const { code, says } = await busybox(system, argv);
    if (code === 0) continue;
    system.remove(temporary);
    return `the swap file cannot be made: ${says}`;
  }
  return system.rename(temporary, at(name)) ? undefined : 'the swap file cannot be renamed';
}

async function swapOn(system: System, target: string, path: string): Promise<StepResult> {
  const { code, says } = await busybox(system, ['swapon', target]);
  return code === 0 ? done(true) : failed(`the kernel does not swap to ${path}: ${says}`);
}

function isSwap(system: System, path: string, sizeBytes: number): boolean {
  const fd = system.open(path, { access: 'read', noFollow: true });
  if (fd < 0) return false;
  try {
    const content = probeContent((offset, length) => {
      const bytes = system.readAt(fd, offset, length);
      return bytes === 'failed' ? new Uint8Array(length) : bytes;
    }, sizeBytes);
    return content.kind === 'known' && content.type === 'swap';
  } finally {
    system.close(fd);
  }
}
