/** The slots that hold good versions, read and repaired: the one that runs, and the one to return to. */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { Context } from '../context.ts';
import { hashBlocks, treeLevels } from '../apply/tree.ts';
import { hexOf } from '../../payload/bytes.ts';
import { findTree } from '../apply/leaves.ts';
import { openMedium, type Medium } from '../apply/medium.ts';
import type { SlotName } from '../switch/facts.ts';
import type { VersionId } from '../switch/record-content.ts';
import { slotContent, slotGeometry } from '../switch/superblock.ts';
import type { BootState } from '../switch/switch.ts';
import type { Releases } from './published.ts';
import { scrubSlot, type BlockSource, type SlotFindings, type SlotScrub } from './slot.ts';
import { fromBlockList, fromOtherSlot, fromPayload, type OtherSlot } from './sources.ts';

export interface SlotReport extends SlotFindings {
  readonly slot: SlotName;
  readonly version: string;
  readonly blocks: number;
  /** Why what is left could not be repaired. */
  readonly detail?: string;
}

interface Geometry {
  readonly salt: string;
  readonly dataBlocks: number;
}

interface OpenSlot {
  readonly slot: SlotName;
  readonly data: Medium;
  readonly tree: Medium;
  readonly claimed: Geometry | undefined;
  readonly content: string | undefined;
}

export async function scrubSlots(
  context: Context,
  boot: BootState,
  releases: Releases,
  pace: SlotScrub['pace'],
  scratch: string,
): Promise<readonly SlotReport[]> {
  const { system } = context;
  const open = (devices: BootState['source'] | BootState['target']): OpenSlot => {
    const tree = openMedium(system, devices.verityDevice, 'read-write');
    const superblock = tree.read(0, BLOCK_BYTES) ?? new Uint8Array(0);
    return {
      slot: devices.slot,
      data: openMedium(system, devices.dataDevice, 'read-write'),
      tree,
      claimed: slotGeometry(superblock),
      content: slotContent(superblock),
    };
  };
  const [source, target] = [open(boot.source), open(boot.target)];
  try {
    const reports = [await scrubOne(context, source, context.running, target, releases, pace, scratch)];
    const other = otherVersion(boot, target);
    if (other !== undefined)
      reports.push(await scrubOne(context, target, other, source, releases, pace, scratch));
    return reports;
  } finally {
    for (const { data, tree } of [source, target]) {
      data.close();
      tree.close();
    }
  }
}

/** While something is being installed there, it holds nothing good. */
function otherVersion({ record, running }: BootState, { content }: OpenSlot): VersionId | undefined {
  if (record.attempt !== null || content === undefined) return undefined;
  return (
    [record.older, record.committed].find(
      (one) => one !== null && one.rootHash !== running.rootHash && one.rootHash.startsWith(content),
    ) ?? undefined
  );
}

async function scrubOne(
  context: Context,
  own: OpenSlot,
  { version, rootHash }: VersionId,
  other: OpenSlot,
  releases: Releases,
  pace: SlotScrub['pace'],
  scratch: string,
): Promise<SlotReport> {
  const { system, parts } = context;
  const { slot, data, tree } = own;
  const geometry = await geometryOf(context, own, rootHash, other, releases, scratch);
  if (geometry === undefined)
    return { slot, version, blocks: 0, rotten: 1, repaired: 0, detail: 'its superblock is rotten' };
  let detail: string | undefined;
  const published = (): ReturnType<Releases['root']> => releases.root(rootHash);
  /** Of a network that is not there, or of a repository without it: told, and no reason to stop. */
  const attempt =
    (source: BlockSource): BlockSource =>
    async (wanted) => {
      try {
        return await source(wanted);
      } catch (error) {
        if (!(error instanceof SlipwayError)) throw error;
        detail = error.message;
        return new Map();
      }
    };
  const sources: BlockSource[] = [
    ...(isComparable(other)
      ? [
          fromOtherSlot({
            data: other.data,
            tree: other.tree,
            dataBlocks: other.claimed.dataBlocks,
          } satisfies OtherSlot),
        ]
      : []),
    attempt(fromPayload(system, published)),
  ];
  const found = await scrubSlot(system, {
    rootHash,
    ...geometry,
    data,
    tree,
    scratch,
    sources,
    leafSources: [attempt(fromBlockList(published))],
    pace,
  });
  const { dataBlocks, salt } = geometry;
  const superblock = isClaim(own, rootHash, geometry) ? 0 : 1;
  let mended = 0;
  if (superblock === 1 && found.rotten === found.repaired) {
    await parts.mendSuperblock(system, slot, { rootHash, salt, sizeBytes: dataBlocks * BLOCK_BYTES });
    mended = 1;
  }
  const [rotten, repaired] = [found.rotten + superblock, found.repaired + mended];
  return {
    slot,
    version,
    blocks: dataBlocks,
    rotten,
    repaired,
    ...(rotten === repaired
      ? {}
      : { detail: detail ?? 'neither the other slot nor a repository has what is missing' }),
  };
}

function isComparable(slot: OpenSlot): slot is OpenSlot & { readonly claimed: Geometry } {
  return slot.claimed !== undefined;
}

function isClaim({ claimed, content }: OpenSlot, rootHash: string, { salt, dataBlocks }: Geometry): boolean {
  return content === rootHash.slice(0, 32) && claimed?.salt === salt && claimed.dataBlocks === dataBlocks;
}

/** What the superblock claims is believed as far as it leads to the root hash; else it is looked for. */
async function geometryOf(
  { system }: Context,
  own: OpenSlot,
  rootHash: string,
  other: OpenSlot,
  releases: Releases,
  scratch: string,
): Promise<Geometry | undefined> {
  const { claimed, tree, data } = own;
  const leads = async ({ salt, dataBlocks }: Geometry): Promise<boolean> => {
    const top = dataBlocks === 1 ? data.read(0, BLOCK_BYTES) : tree.read(BLOCK_BYTES, BLOCK_BYTES);
    return top !== undefined && hexOf(await hashBlocks(system, scratch, salt, top)) === rootHash;
  };
  if (claimed !== undefined && (await leads(claimed))) return claimed;
  const salt = other.claimed?.salt;
  if (salt !== undefined) {
    const dataBlocks = await findTree(system, scratch, salt, { data, tree });
    if (dataBlocks !== undefined && (await leads({ salt, dataBlocks }))) return { salt, dataBlocks };
  }
  const root = (await releases.root(rootHash))?.manifest.root;
  if (root !== undefined) return { salt: root.salt, dataBlocks: root.sizeBytes / BLOCK_BYTES };
  // Perhaps only the top of the tree is rotten.
  return claimed !== undefined && treeLevels(claimed.dataBlocks).length > 0 ? claimed : undefined;
}
