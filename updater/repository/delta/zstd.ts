/** zstd, from the locked tools, so that the same bytes come out everywhere. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../../spec/error.ts';
import { run } from '../../../builder/process/run.ts';
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import { checkFrame } from '../../payload/frame.ts';

/** Each content as a frame of its own that says how much it holds. */
export async function compress(
  contents: readonly Uint8Array[],
  toolbox: Pick<Toolbox, 'command'>,
  level: number,
): Promise<readonly Uint8Array[]> {
  const argv = [...toolbox.command('zstd'), `-${level}`, '--single-thread', '--no-check', '-q'];
  const directory = await mkdtemp(join(tmpdir(), 'slipway-zstd-'));
  try {
    const names = contents.map((_, index) => join(directory, String(index)));
    await Promise.all(names.map((name, index) => writeFile(name, contents[index] ?? new Uint8Array())));
    await run([...argv, ...names]);
    const frames = await Promise.all(names.map((name) => readFile(`${name}.zst`)));
    frames.forEach((frame, index) => {
      checkFrame(frame, contents[index]?.length ?? 0);
    });
    return frames;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The contents of frames that follow one another, in one piece. Throws `payload.verify` unless they are exactly as long as said. */
export async function decompress(
  frames: Uint8Array,
  contentBytes: number,
  toolbox: Pick<Toolbox, 'command'>,
): Promise<Buffer> {
  const { stdout } = await run([...toolbox.command('zstd'), '-dc', '-q', '--single-thread'], {
    input: frames,
  });
  if (stdout.length !== contentBytes)
    throw new SlipwayError('payload.verify', `blobs hold ${stdout.length} bytes instead of ${contentBytes}`);
  return stdout;
}
