/**
 * Long stretches of devices, by `dd` past the page cache (open(2), O_DIRECT): within a small control group the kernel spends more on making room for
 * pages that nobody reads again than on the bytes themselves (measured under emulation: 0.9 s in place of 6.4 s for 300 MB).
 */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import type { Medium } from './medium.ts';

export interface Stretch {
  readonly sourceOffset: number;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What starting a program costs is worth it from here on. */
const LEAST_BYTES = 512 * 1024;

/** Whether `copyStretch` can copy it, and should. */
export function isLong({ sourceOffset, offset, sizeBytes }: Stretch): boolean {
  return (
    sizeBytes >= LEAST_BYTES && [sourceOffset, offset, sizeBytes].every((value) => value % BLOCK_BYTES === 0)
  );
}

/** False where not all of it could be read and written. It is on the medium after the next `sync` of the target. */
export async function copyStretch(
  system: System,
  source: Medium,
  target: Medium,
  { sourceOffset, offset, sizeBytes }: Stretch,
): Promise<boolean> {
  // What ends too early is no fault to `dd`.
  if (source.read(sourceOffset + sizeBytes - BLOCK_BYTES, BLOCK_BYTES) === undefined) return false;
  const output = target.direct ? 'seek_bytes,direct' : 'seek_bytes';
  const { exited } = start(system, [
    ...readArguments(source, sourceOffset, sizeBytes),
    ...[`of=${target.path}`, `seek=${offset}`, `oflag=${output}`, 'conv=notrunc'],
  ]);
  return (await exited) === 0;
}

/** SHA-256 of the medium's first bytes, as they are read back from it, in hexadecimal digits. The work begins now; the result waits for it. */
export function startDigest(system: System, medium: Medium, sizeBytes: number): () => Promise<string> {
  const [data, digest] = [system.pipe(), system.pipe()];
  const reader = start(system, readArguments(medium, 0, sizeBytes), { stdout: data.write });
  const hasher = start(system, ['sha256sum'], { stdin: data.read, stdout: digest.write });
  for (const end of [data.write, data.read, digest.write]) system.close(end);
  return async () => {
    const line = system.read(digest.read, 256);
    system.close(digest.read);
    const codes = await Promise.all([reader.exited, hasher.exited]);
    if (codes.some((code) => code !== 0) || !(line instanceof Uint8Array))
      throw new SlipwayError('update.read-back', `${medium.path} cannot be read`, {
        hint: 'the disk may be failing',
      });
    return system.decode(line).slice(0, 64);
  };
}

function readArguments({ path, direct }: Medium, offset: number, sizeBytes: number): readonly string[] {
  const input = direct ? 'skip_bytes,count_bytes,fullblock,direct' : 'skip_bytes,count_bytes,fullblock';
  return [
    'dd',
    'status=none',
    'bs=1M',
    `if=${path}`,
    `skip=${offset}`,
    `count=${sizeBytes}`,
    `iflag=${input}`,
  ];
}

function start(
  system: System,
  argv: readonly string[],
  ends: { readonly stdin?: number; readonly stdout?: number } = {},
): { readonly exited: Promise<number> } {
  return {
    exited: new Promise((resolve) => {
      if (system.spawn(argv, { ...ends, stderr: 2, onExit: resolve }) < 0) resolve(127);
    }),
  };
}
