/**
 * Long stretches of devices, by `dd` past the page cache (open(2), O_DIRECT): within a small control group the kernel spends more on making room for
 * pages that nobody reads again than on the bytes themselves (measured under emulation: 0.9 s in place of 6.4 s for 300 MB).
 */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import { digestSink } from './digests.ts';
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

/** SHA-256 of a medium that is being filled from its start: what lies on it is read back and hashed meanwhile, on another processor where there is one. */
export interface GrowingDigest {
  /** All before `offset` is on the medium, and stays as it is. */
  readonly reach: (offset: number) => void;
  /** Of the first `sizeBytes`, in hexadecimal digits. Throws `update.read-back`, `update.program`. */
  readonly end: (sizeBytes: number) => Promise<string>;
  /** Nobody wants it any more; after `end`, there is nothing to do. */
  readonly abandon: () => Promise<void>;
}

export function startDigest(system: System, medium: Medium): GrowingDigest {
  const sink = digestSink(system);
  let [wanted, read] = [0, 0];
  let state: 'good' | 'bad' | 'ended' = 'good';
  let reading: Promise<void> | undefined;
  const readOn = async (): Promise<void> => {
    while (read < wanted && state === 'good') {
      const sizeBytes = wanted - read;
      const { exited } = start(system, readArguments(medium, read, sizeBytes), { stdout: sink.input });
      if ((await exited) !== 0) state = 'bad';
      read += sizeBytes;
    }
    reading = undefined;
  };
  const reach = (offset: number): void => {
    wanted = Math.max(wanted, offset);
    if (read < wanted) reading ??= readOn();
  };
  return {
    reach,
    end: async (sizeBytes) => {
      reach(sizeBytes);
      await reading;
      const isWhole = state === 'good';
      state = 'ended';
      const digest = await sink.end();
      if (isWhole) return digest;
      throw new SlipwayError('update.read-back', `${medium.path} cannot be read`, {
        hint: 'the disk may be failing',
      });
    },
    abandon: async () => {
      if (state === 'ended') return;
      state = 'ended';
      await reading;
      await sink.end().catch(() => undefined);
    },
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

/** Waited for without reading: what reads back beside it goes on meanwhile. */
function start(
  system: System,
  argv: readonly string[],
  ends: { readonly stdout?: number } = {},
): { readonly exited: Promise<number> } {
  return {
    exited: new Promise((resolve) => {
      if (system.spawn(argv, { ...ends, stderr: 2, onExit: resolve }) < 0) resolve(127);
    }),
  };
}
