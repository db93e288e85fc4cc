/**
 * Writing to devices. Before the first byte it is remembered which device is being made into what, and forgotten when it is; a device that
 * was being written to when the power went is ours to begin again, whatever it looks like by then. And what was erased because the
 * configuration said so is erased once: the same words never do it again.
 */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { readBounded, removeDurable, writeDurable } from '../store/durable.ts';
import { busybox } from './command.ts';
import { marksOf } from './marks.ts';

const FILE = 'writing.json';
const END_BYTES = 1024 * 1024;
const CHUNK_BYTES = 128 * 1024;

interface Writing {
  readonly path: string;
  /** Another disk may have that path by now. */
  readonly identity: string;
}

export function unfinished(system: System, path: string): boolean {
  const bytes = readBounded(system, `${PROVISIONING_PATHS.state}/${FILE}`, 4096);
  if (bytes === undefined) return false;
  try {
    const { path: written, identity } = JSON.parse(system.decode(bytes)) as Writing;
    return written === path && identity === identityOf(system, path);
  } catch {
    return false;
  }
}

/** `once`: a name for what is erased because the configuration says so; a reason when that was done before. */
export async function whileWriting(
  system: System,
  path: string,
  once: string | null,
  write: () => Promise<string | undefined>,
): Promise<string | undefined> {
  const marks = marksOf(system, 'devices');
  const name = once === null ? null : `${once} ${identityOf(system, path)}`;
  if (name !== null && marks.get(name)?.state === 'ended')
    return `${path} was erased once because of these lines, and is not again: \`slip config reset\` forgets that`;
  const writing: Writing = { path, identity: identityOf(system, path) };
  if (name !== null) await marks.set(name, { state: 'begun' });
  await writeDurable(system, PROVISIONING_PATHS.state, [
    { name: FILE, bytes: system.encode(JSON.stringify(writing)) },
  ]);
  const problem = await write();
  if (problem !== undefined) return problem;
  if (name !== null) await marks.set(name, { state: 'ended', code: 0 });
  await removeDurable(system, PROVISIONING_PATHS.state, [FILE]);
  return undefined;
}

/** All of it, or why not. */
export function writeAt(system: System, path: string, offset: number, bytes: Uint8Array): string | undefined {
  const fd = system.open(path, { access: 'write', noFollow: true });
  if (fd < 0) return `${path} cannot be opened`;
  const written = system.writeAt(fd, offset, bytes);
  system.close(fd);
  return written ? undefined : `${path} cannot be written`;
}

/** Zeros over the first and the last megabyte of a range: no mark of an older file system survives. */
export function wipeEnds(
  system: System,
  path: string,
  offset: number,
  sizeBytes: number,
): string | undefined {
  const zeros = new Uint8Array(CHUNK_BYTES);
  const head = Math.min(END_BYTES, sizeBytes);
  const tail = Math.max(head, sizeBytes - END_BYTES);
  for (const [from, to] of [
    [0, head],
    [tail, sizeBytes],
  ] as const)
    for (let at = from; at < to; at += CHUNK_BYTES) {
      const problem = writeAt(system, path, offset + at, zeros.subarray(0, Math.min(CHUNK_BYTES, to - at)));
      if (problem !== undefined) return problem;
    }
  return undefined;
}

export async function flush(system: System, path: string): Promise<string | undefined> {
  const { code, says } = await busybox(system, ['sync', path]);
  return code === 0 ? undefined : `${path} cannot be flushed: ${says}`;
}

function identityOf(system: System, path: string): string {
  const name = path.replace('/dev/', '');
  const block = `/sys/class/block/${name}`;
  const parent = system.readLink(block)?.split('/').at(-2) ?? '';
  const serial =
    system.readText(`${block}/serial`) ??
    system.readText(`${block}/device/serial`) ??
    system.readText(`/sys/class/block/${parent}/serial`) ??
    '';
  const size = system.readText(`${block}/size`) ?? '';
  const start = system.readText(`${block}/start`) ?? '';
  return [serial, start, size].map((text) => text.trim()).join(' ');
}
