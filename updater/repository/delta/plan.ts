/** From matched runs to the operations that are to be made: what is copied, what is zero, and pieces that a patch or the whole bytes will make. */
import { LIMITS } from '../../payload/limits.ts';
import type { CopyRun, NewRun, Run, ZeroRun } from './match.ts';

/** New bytes that no block of the old image holds. In blocks. */
export interface Piece {
  readonly kind: 'piece';
  readonly block: number;
  readonly blocks: number;
  /** Where the old image goes on with what stands before it in the new one, and where what stands behind it begins. */
  readonly after: number | undefined;
  readonly before: number | undefined;
}

export type PlannedOperation = CopyRun | ZeroRun | Piece;

/** A match this short between two changes is patched with them: an operation of its own costs 80 bytes, a copy within a patch three. */
const BRIDGE_BYTES = 64 * 1024;
/** Unless it lies farther away than this from where the old image goes on. */
const NEAR_BYTES = 256 * 1024;

export function planOperations(runs: readonly Run[], blockBytes: number): readonly PlannedOperation[] {
  const bridged = bridge(runs, blockBytes);
  return bridged.flatMap((run, index): readonly PlannedOperation[] => {
    if (run.kind !== 'new') return [run];
    const [left, right] = [nearestCopy(bridged, index, -1), nearestCopy(bridged, index, 1)];
    return split(
      run,
      left === undefined ? undefined : left.source + left.blocks,
      right?.source,
      LIMITS.resultBytes / blockBytes,
    );
  });
}

function bridge(runs: readonly Run[], blockBytes: number): readonly Run[] {
  const result: Run[] = [];
  let lastSource: number | undefined;
  runs.forEach((run, index) => {
    const last = result.at(-1);
    const isShort =
      run.blocks * blockBytes <= BRIDGE_BYTES && last?.kind === 'new' && runs[index + 1]?.kind === 'new';
    const isNear =
      run.kind !== 'copy' ||
      (lastSource !== undefined && Math.abs(run.source - lastSource) * blockBytes <= NEAR_BYTES);
    if (run.kind === 'copy') lastSource = run.source + run.blocks;
    if (last?.kind === 'new' && (run.kind === 'new' || (isShort && isNear)))
      result[result.length - 1] = { ...last, blocks: last.blocks + run.blocks };
    else result.push(run);
  });
  return result;
}

function nearestCopy(runs: readonly Run[], from: number, step: 1 | -1): CopyRun | undefined {
  for (let index = from + step; index >= 0 && index < runs.length; index += step) {
    const run = runs[index];
    if (run?.kind === 'copy') return run;
    if (run?.kind === 'new') return undefined;
  }
  return undefined;
}

function split(
  { block, blocks }: NewRun,
  after: number | undefined,
  before: number | undefined,
  most: number,
): readonly Piece[] {
  const count = Math.ceil(blocks / most);
  const size = Math.ceil(blocks / count);
  return Array.from({ length: count }, (_, index): Piece => {
    const start = index * size;
    const length = Math.min(size, blocks - start);
    // Of pieces within a run only the outer two have neighbours.
    return {
      kind: 'piece',
      block: block + start,
      blocks: length,
      after: index === 0 ? after : undefined,
      before: index === count - 1 ? before : undefined,
    };
  });
}
