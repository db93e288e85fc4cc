/** Files of the state partition that are there after a power cut, or not at all (decisions.md 12). */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';

const BUSYBOX = '/usr/bin/busybox';
const PRIVATE = 0o600;

/** Makes the directory that only root may look into, whatever was there before. */
export function makeStateDirectory(system: System, path: string = PROVISIONING_PATHS.state): void {
  const found = system.linkStatus(path);
  if (found !== undefined && found.kind !== 'directory') system.remove(path);
  if (!system.makeDirectory(path, 0o700)) throw new Error(`cannot make ${path}`);
}

/** Writes files of one directory as a whole each, in this order, 0600, synced. Throws where it cannot. */
export async function writeDurable(
  system: System,
  directory: string,
  files: readonly { readonly name: string; readonly bytes: Uint8Array }[],
): Promise<void> {
  if (files.length === 0) return;
  makeStateDirectory(system, directory);
  const paths = files.map(({ name }) => `${directory}/${name}`);
  files.forEach(({ bytes }, index) => writeNew(system, `${paths[index]!}.new`, bytes));
  await sync(
    system,
    paths.map((path) => `${path}.new`),
  );
  for (const path of paths) if (!system.rename(`${path}.new`, path)) throw new Error(`cannot write ${path}`);
  await sync(system, [directory]);
}

/** Takes files away, and makes sure that they stay away. */
export async function removeDurable(
  system: System,
  directory: string,
  names: readonly string[],
): Promise<void> {
  const removed = names.filter((name) => system.remove(`${directory}/${name}`));
  if (removed.length > 0) await sync(system, [directory]);
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

function writeNew(system: System, path: string, bytes: Uint8Array): void {
  system.remove(path);
  const fd = system.open(path, { access: 'write', create: { mode: PRIVATE, exclusive: true } });
  if (fd < 0) throw new Error(`cannot write ${path}`);
  const written = bytes.length === 0 || system.writeAt(fd, 0, bytes);
  system.close(fd);
  if (!written) throw new Error(`cannot write ${path}`);
}

async function sync(system: System, paths: readonly string[]): Promise<void> {
  const { code } = await runProgram(system, [BUSYBOX, 'sync', ...paths]);
  if (code !== 0) throw new Error(`cannot sync ${paths.join(' ')}`);
}
