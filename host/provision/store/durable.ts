/** Files of the state partition that are there after a power cut, or not at all (decisions.md 12). */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';

const BUSYBOX = '/usr/bin/busybox';
const PRIVATE = 0o600;
/** Directories in which something got or lost its name since they were settled. */
const unsettled = new WeakMap<System, Set<string>>();

/** Makes the directory that only root may look into, whatever was there before. */
export function makeStateDirectory(system: System, path: string = PROVISIONING_PATHS.state): void {
  const found = system.linkStatus(path);
  if (found !== undefined && found.kind !== 'directory') system.remove(path);
  if (!system.makeDirectory(path, 0o700)) throw new Error(`cannot make ${path}`);
}

export interface StateFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Writes files of one directory as a whole each, in this order, 0600, and settles it. Throws where it cannot. */
export async function writeDurable(
  system: System,
  directory: string,
  files: readonly StateFile[],
): Promise<void> {
  if (files.length === 0) return;
  writeWhole(system, directory, files);
  await settle(system, directory);
}

/** The same without settling: after a power cut each file is what it was or what it is to be, in this order. Throws where it cannot. */
export function writeWhole(system: System, directory: string, files: readonly StateFile[]): void {
  makeStateDirectory(system, directory);
  const paths = files.map(({ name }) => `${directory}/${name}`);
  files.forEach(({ bytes }, index) => writeNew(system, `${paths[index]!}.new`, bytes));
  touched(system).add(directory);
  for (const path of paths) if (!system.rename(`${path}.new`, path)) throw new Error(`cannot write ${path}`);
}

/** What got its name in a directory, or lost it, stays so; does nothing where nothing did. Throws where it cannot. */
export async function settle(system: System, directory: string): Promise<void> {
  if (!touched(system).has(directory)) return;
  const { code } = await runProgram(system, [BUSYBOX, 'sync', directory]);
  if (code !== 0) throw new Error(`cannot sync ${directory}`);
  touched(system).delete(directory);
}

/** Takes files away, and makes sure that they stay away. */
export async function removeDurable(
  system: System,
  directory: string,
  names: readonly string[],
): Promise<void> {
  const removed = names.filter((name) => system.remove(`${directory}/${name}`));
  if (removed.length === 0) return;
  touched(system).add(directory);
  await settle(system, directory);
}

/** The whole file, where it is one, is no longer than the limit, and can be read. */
export function readBounded(system: System, path: string, limitBytes: number): Uint8Array | undefined {
  const fd = system.open(path, { access: 'read', nonBlocking: true, noFollow: true });
  if (fd < 0) return undefined;
  const sound = system.descriptorStatus(fd)?.kind === 'file';
  const bytes = sound ? system.readAt(fd, 0, limitBytes + 1) : 'failed';
  system.close(fd);
  return bytes === 'failed' || bytes.length > limitBytes ? undefined : bytes;
}

function touched(system: System): Set<string> {
  const known = unsettled.get(system) ?? new Set();
  unsettled.set(system, known);
  return known;
}

function writeNew(system: System, path: string, bytes: Uint8Array): void {
  system.remove(path);
  // Starting a program that syncs it would cost more than all else here.
  const create = { mode: PRIVATE, exclusive: true };
  const fd = system.open(path, { access: 'write', create, synchronous: true });
  if (fd < 0) throw new Error(`cannot write ${path}`);
  const written = bytes.length === 0 || system.writeAt(fd, 0, bytes);
  system.close(fd);
  if (!written) throw new Error(`cannot write ${path}`);
}
