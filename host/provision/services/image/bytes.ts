/** Files and parts of files through the machine's programs: hashed, decompressed, copied. Nothing passes through us but blocks as they are. */
import { SlipwayError } from '../../../../spec/error.ts';
import { concatenate } from '../../../../system/bytes.ts';
import { startProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';
import type { DiskGuard } from './disk.ts';
import type { FileRange } from './tar.ts';

const CHUNK = 65_536;

/** `sha256:...` of a part of a file. */
export async function digestOf(system: System, range: FileRange): Promise<string> {
  const [input, output] = [system.pipe(), system.pipe()];
  const ended = new Promise<number>((resolve) => {
    const streams = { stdin: input.read, stdout: output.write, stderr: 2, onExit: resolve };
    if (system.spawn(['busybox', 'sha256sum'], streams) < 0) resolve(127);
  });
  system.close(input.read);
  system.close(output.write);
  await eachBlock(system, range, (bytes) => {
    for (let done = 0; done < bytes.length;) {
      const count = system.write(input.write, done === 0 ? bytes : bytes.subarray(done));
      if (typeof count !== 'number') throw new SlipwayError('services.program', 'sha256sum ended early');
      done += count;
    }
  });
  system.close(input.write);
  const printed: Uint8Array[] = [];
  for (;;) {
    const bytes = system.read(output.read, 256);
    if (!(bytes instanceof Uint8Array) || bytes.length === 0) break;
    printed.push(bytes);
  }
  system.close(output.read);
  const hex = system.decode(concatenate(printed)).slice(0, 64);
  if ((await ended) !== 0 || !/^[0-9a-f]{64}$/.test(hex))
    throw new SlipwayError('services.program', 'busybox sha256sum failed');
  return `sha256:${hex}`;
}

/**
 * The tar in a file that may be compressed, as a file of its own at `path` then. `limit.bytes` is counted down by what is written; throws
 * `oci.hostile-layer` when it is spent.
 */
export async function uncompressed(
  system: System,
  range: FileRange,
  path: string,
  options: { readonly guard: DiskGuard; readonly limit: { bytes: number } },
): Promise<FileRange> {
  const compression = compressionOf(system, range);
  if (compression === 'none') return range;
  const { sizeBytes } = system.status(range.path) ?? { sizeBytes: -1 };
  const whole = range.offset === 0 && sizeBytes === range.sizeBytes;
  const packed = whole ? range.path : `${path}.packed`;
  if (!whole) {
    await writing(system, packed, (write) => eachBlock(system, range, write), options.guard);
  }
  const argv = compression === 'gzip' ? ['busybox', 'gunzip', '-c'] : ['zstd', '-dcq', '--memory=64MB'];
  const program = startProgram(system, argv, { stdinPath: packed });
  let written = 0;
  try {
    await writing(
      system,
      path,
      async (write) => {
        for (let bytes = program.read(CHUNK); bytes.length > 0; bytes = program.read(CHUNK)) {
          written += bytes.length;
          options.limit.bytes -= bytes.length;
          if (options.limit.bytes < 0)
            throw new SlipwayError('oci.hostile-layer', 'the image is larger than 4 GiB once it is unpacked');
          await write(bytes);
        }
      },
      options.guard,
    );
  } catch (error) {
    await program.end();
    throw error;
  } finally {
    if (!whole) system.remove(packed);
  }
  if ((await program.exited) !== 0)
    throw new SlipwayError('oci.invalid', `a layer is damaged: ${argv.slice(0, 2).join(' ')} failed`);
  return { path, offset: 0, sizeBytes: written };
}

/** The text of a small part of a file. */
export function readRange(system: System, { path, offset, sizeBytes }: FileRange): string {
  const fd = system.open(path, { access: 'read' });
  const bytes = fd < 0 ? 'failed' : system.readAt(fd, offset, sizeBytes);
  if (fd >= 0) system.close(fd);
  if (bytes === 'failed' || bytes.length !== sizeBytes)
    throw new SlipwayError('oci.invalid', `${path} cannot be read`);
  return system.decode(bytes);
}

async function eachBlock(
  system: System,
  { path, offset, sizeBytes }: FileRange,
  take: (bytes: Uint8Array) => void | Promise<void>,
): Promise<void> {
  const fd = system.open(path, { access: 'read' });
  if (fd < 0) throw new SlipwayError('oci.invalid', `${path} cannot be read`);
  try {
    for (let done = 0; done < sizeBytes;) {
      const bytes = system.readAt(fd, offset + done, Math.min(CHUNK, sizeBytes - done));
      if (bytes === 'failed' || bytes.length === 0)
        throw new SlipwayError('oci.invalid', `${path} ends early`);
      await take(bytes);
      done += bytes.length;
    }
  } finally {
    system.close(fd);
  }
}

async function writing(
  system: System,
  path: string,
  work: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
  guard: DiskGuard,
): Promise<void> {
  system.remove(path);
  const fd = system.open(path, { access: 'write', create: { mode: 0o600, exclusive: true } });
  if (fd < 0) throw guard.failed(path);
  try {
    await work((bytes) => guard.write(fd, bytes, path));
  } finally {
    system.close(fd);
  }
}

function compressionOf(system: System, { path, offset }: FileRange): 'gzip' | 'zstd' | 'none' {
  const fd = system.open(path, { access: 'read' });
  if (fd < 0) throw new SlipwayError('oci.not-found', `${path} cannot be read`);
  const bytes = system.readAt(fd, offset, 4);
  system.close(fd);
  const [a, b, c, d] = bytes === 'failed' ? [] : bytes;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  return a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd ? 'zstd' : 'none';
}
