/** Two images -> the payload that makes the second of the first. */
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import { LIMITS } from '../../payload/limits.ts';
import type { Extent } from '../../payload/operation.ts';
import type { PayloadReference } from '../../release/document.ts';
import { withDiffPool, type DiffPool } from './diff-pool.ts';
import { withImage, type ImageFile } from './image-file.ts';
import { inTurn } from './in-turn.ts';
import { matchBlocks } from './match.ts';
import { planOperations, type Piece, type PlannedOperation } from './plan.ts';
import { indexResemblance, type Resemblance } from './resemblance.ts';
import { chooseWindow } from './window.ts';
import { sha256, writePayload, type MadeOperation } from './write.ts';
import { compress } from './zstd.ts';

export interface DeltaOptions {
  /** Paths of the images; of a root, or of a UKI. */
  readonly old: string;
  readonly new: string;
  /** The payload's path. */
  readonly output: string;
  readonly toolbox: Pick<Toolbox, 'command'>;
  /** 4096 for a root, whose file system has such blocks; 512 for a UKI, whose sections lie by that. */
  readonly blockBytes: 512 | 4096;
  /** Not made when it would not be smaller than this: the size of the full payload. */
  readonly smallerThan?: number;
  /** Between 0 and 1. */
  readonly progress?: (done: number) => void;
}

/** Writes the payload, the same bytes for the same images and tools; or nothing, and returns `undefined`, where it does not pay. */
export async function makeDelta(options: DeltaOptions): Promise<PayloadReference | undefined> {
  const { blockBytes } = options;
  return withImage(options.old, (old) =>
    withImage(options.new, (next) =>
      withDiffPool(async (pool) => {
        const runs = await matchBlocks(old, next, blockBytes);
        const plan = planOperations(runs, blockBytes);
        if (plan.length > LIMITS.operations) return undefined;
        const maker: Maker = {
          ...{ old, next, pool, blockBytes, toolbox: options.toolbox },
          resemblance: await indexResemblance(old, plan, blockBytes),
        };
        const operations = await makeAll(maker, plan, options);
        if (operations === undefined) return undefined;
        const content = { blockBytes, targetBytes: next.sizeBytes, sourceBytes: old.sizeBytes, operations };
        return writePayload(content, options.output);
      }),
    ),
  );
}

interface Maker {
  readonly old: ImageFile;
  readonly next: ImageFile;
  readonly pool: DiffPool;
  readonly blockBytes: number;
  readonly toolbox: Pick<Toolbox, 'command'>;
  readonly resemblance: Resemblance;
}

/** `undefined` as soon as it is known to be too large. */
async function makeAll(
  maker: Maker,
  plan: readonly PlannedOperation[],
  { smallerThan, progress }: DeltaOptions,
): Promise<readonly MadeOperation[] | undefined> {
  const total = plan.reduce((sum, each) => sum + (each.kind === 'piece' ? each.blocks : 0), 0);
  let [storedBytes, done] = [0, 0];
  const operations = await inTurn(plan, maker.pool.threads, async (each) => {
    if (smallerThan !== undefined && storedBytes >= smallerThan) return undefined;
    const made = await makeOperation(maker, each);
    storedBytes += made.blob?.length ?? 0;
    if (each.kind === 'piece') progress?.((done += each.blocks) / total);
    return made;
  });
  if (smallerThan !== undefined && storedBytes >= smallerThan) return undefined;
  return operations.flatMap((each) => each ?? []);
}

async function makeOperation(maker: Maker, planned: PlannedOperation): Promise<MadeOperation> {
  const target = extentOf(planned, maker.next, maker.blockBytes);
  if (planned.kind === 'zero') return { operation: { kind: 'zero', target } };
  if (planned.kind === 'copy')
    return { operation: { kind: 'copy', target, sourceOffset: planned.source * maker.blockBytes } };
  return smallest(maker, planned, target);
}

/** What a patch has in its header and a FULL has not, about: a digest and the extents. */
const PATCH_OVERHEAD_BYTES = 48;
/** Of so few bytes everything is tried at once. */
const SMALL_BYTES = 64 * 1024;
/** zstd -19 makes it hardly ever smaller than this share of what -3 makes. */
const BEST_SHARE = 0.5;

async function smallest(maker: Maker, piece: Piece, target: Extent): Promise<MadeOperation> {
  const { toolbox } = maker;
  const bytes = await maker.next.read(target);
  const { patch, extents } = await makePatch(maker, piece, target, bytes);
  const full = (blob: Uint8Array): MadeOperation => ({
    operation: { kind: 'full', target, blob: describe(blob, bytes) },
    blob,
  });
  if (patch === undefined) return full(await compressOne(bytes, toolbox, 19));
  const patched = (blob: Uint8Array): MadeOperation => ({
    operation: { kind: 'patch', target, extents, blob: describe(blob, patch), resultSha256: sha256(bytes) },
    blob,
  });
  if (bytes.length <= SMALL_BYTES) {
    const [one = NOTHING, other = NOTHING] = await compress([patch, bytes], toolbox, 19);
    return one.length + PATCH_OVERHEAD_BYTES < other.length ? patched(one) : full(other);
  }
  const blob = await compressOne(patch, toolbox, 19);
  const cost = blob.length + PATCH_OVERHEAD_BYTES;
  if (cost < (await compressOne(bytes, toolbox, 3)).length * BEST_SHARE) return patched(blob);
  const whole = await compressOne(bytes, toolbox, 19);
  return cost < whole.length ? patched(blob) : full(whole);
}

const NOTHING = new Uint8Array();

async function compressOne(
  content: Uint8Array,
  toolbox: Pick<Toolbox, 'command'>,
  level: number,
): Promise<Uint8Array> {
  return (await compress([content], toolbox, level))[0] ?? NOTHING;
}

/** No patch where the piece resembles nothing, or its patch would be larger than a machine takes. */
async function makePatch(
  { old, next, pool, resemblance, blockBytes }: Maker,
  piece: Piece,
  target: Extent,
  bytes: Buffer,
): Promise<{ patch: Uint8Array | undefined; extents: readonly Extent[] }> {
  const extents = chooseWindow(piece, resemblance.votes(bytes), { sizeBytes: old.sizeBytes, blockBytes });
  if (extents.length === 0) return { patch: undefined, extents };
  const patch = await pool.diff({ oldPath: old.path, newPath: next.path, extents, target });
  return { patch: patch.length > LIMITS.patchBytes ? undefined : patch, extents };
}

function describe(
  blob: Uint8Array,
  content: Uint8Array,
): { storedBytes: number; sha256: string; contentBytes: number } {
  return { storedBytes: blob.length, sha256: sha256(blob), contentBytes: content.length };
}

function extentOf({ block, blocks }: PlannedOperation, image: ImageFile, blockBytes: number): Extent {
  const offset = block * blockBytes;
  return { offset, sizeBytes: Math.min(blocks * blockBytes, image.sizeBytes - offset) };
}
