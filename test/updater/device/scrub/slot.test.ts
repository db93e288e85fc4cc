/** Real trees by veritysetup, real payloads, blocks that rot. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import type { SlotFacts } from '../../../../updater/device/apply/facts.ts';
import { openMedium } from '../../../../updater/device/apply/medium.ts';
import { makeTree } from '../../../../updater/device/apply/tree.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { scrubSlot, type BlockSource, type SlotFindings } from '../../../../updater/device/scrub/slot.ts';
import {
  fromBlockList,
  fromOtherSlot,
  fromPayload,
  type Published,
} from '../../../../updater/device/scrub/sources.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { makeRelease } from '../apply/release.ts';
import { makeSlots } from '../apply/slots.ts';

const directory = scratchDirectory();
const system = createNodeSystem();
const release = await makeRelease(join(directory, 'release'), { blocks: 1000, deltas: 'none' });
const { info } = release.new;

interface Place {
  readonly at: string;
  readonly old: SlotFacts;
  /** It holds the release. */
  readonly slot: SlotFacts;
}

function place(): Place {
  const { directory: at, source, target } = makeSlots(directory, release);
  writeFileSync(target.dataDevice, readFileSync(release.new.root));
  writeFileSync(target.verityDevice, readFileSync(release.new.verity));
  return { at, old: source, slot: target };
}

/** Other bytes in these blocks. */
function rot(path: string, ...blocks: readonly number[]): void {
  const bytes = readFileSync(path);
  for (const block of blocks) bytes.fill(0x5a, block * 4096 + 100, block * 4096 + 200);
  writeFileSync(path, bytes);
}

async function scrub(
  { at, slot }: Place,
  sources: readonly BlockSource[] = [],
  leafSources: readonly BlockSource[] = [],
): Promise<SlotFindings> {
  const data = openMedium(system, slot.dataDevice, 'read-write');
  const tree = openMedium(system, slot.verityDevice, 'read-write');
  try {
    return await scrubSlot(system, {
      rootHash: info.rootHash,
      salt: release.manifest.root.salt,
      dataBlocks: info.dataBlocks,
      data,
      tree,
      scratch: join(at, 'scratch'),
      sources,
      leafSources,
      pace: () => Promise.resolve(),
    });
  } finally {
    data.close();
    tree.close();
  }
}

function otherSlot({ old }: Place): BlockSource {
  return fromOtherSlot({
    data: openMedium(system, old.dataDevice, 'read'),
    tree: openMedium(system, old.verityDevice, 'read'),
    dataBlocks: release.old.info.dataBlocks,
  });
}

function network({ at }: Place): {
  readonly source: BlockSource;
  readonly leaves: BlockSource;
  readonly received: () => number;
} {
  const fetcher = createFetcher(system, { mirrors: [release.repository], scratch: join(at, 'fetch') });
  const context = { fetcher, scratch: join(at, 'fetch'), progress: () => undefined };
  const published = (): Promise<Published> => Promise.resolve({ manifest: release.manifest, context });
  return {
    source: fromPayload(system, published),
    leaves: fromBlockList(published),
    received: () => fetcher.receivedBytes(),
  };
}

function isWhole({ slot }: Place): boolean {
  return (
    readFileSync(slot.dataDevice).equals(readFileSync(release.new.root)) &&
    readFileSync(slot.verityDevice).equals(readFileSync(release.new.verity))
  );
}

test('a slot that is whole: nothing is found, and nothing written', async () => {
  const here = place();
  expect(await scrub(here)).toEqual({ rotten: 0, repaired: 0 });
  expect(isWhole(here)).toBe(true);
});

test('rotten blocks of data are counted, and stay where there is nothing to repair them from', async () => {
  const here = place();
  rot(here.slot.dataDevice, 0, 400, 999);
  expect(await scrub(here)).toEqual({ rotten: 3, repaired: 0 });
});

test('a block that the other slot has too comes from there, wherever it lies', async () => {
  const here = place();
  // 310 lies elsewhere in the old image, 900 at the same place.
  rot(here.slot.dataDevice, 310, 900);
  expect(await scrub(here, [otherSlot(here)])).toEqual({ rotten: 2, repaired: 2 });
  expect(isWhole(here)).toBe(true);
});

test('what the other slot has not, or has rotten too, comes from the full payload, and only its frames', async () => {
  const here = place();
  rot(here.slot.dataDevice, 610, 900);
  rot(here.old.dataDevice, 900);
  const { source, received } = network(here);
  expect(await scrub(here, [otherSlot(here), source])).toEqual({ rotten: 2, repaired: 2 });
  expect(isWhole(here)).toBe(true);
  expect(received()).toBeGreaterThan(0);
  expect(received()).toBeLessThan(release.manifest.root.full.sizeBytes / 4);
});

test('more blocks than are held in memory at once', async () => {
  const here = place();
  rot(
    here.slot.dataDevice,
    ...Array.from({ length: 300 }, (_, index) => (index < 150 ? 300 + index : 700 + index)),
  );
  expect(await scrub(here, [otherSlot(here)])).toEqual({ rotten: 300, repaired: 300 });
  expect(isWhole(here)).toBe(true);
});

test.each([
  ['the top of the tree', [1]],
  ['the lowest level', [2, 5, 9]],
])('%s is made anew from what lies below it', async (_, blocks) => {
  const here = place();
  rot(here.slot.verityDevice, ...blocks);
  expect(await scrub(here)).toEqual({ rotten: blocks.length, repaired: blocks.length });
  expect(isWhole(here)).toBe(true);
});

test.each([
  ['the top of the tree and one block below it', [1, 3]],
  ['the top of the tree and several below it', [1, 2, 3, 9]],
])('%s: made anew together', async (_, blocks) => {
  const here = place();
  rot(here.slot.verityDevice, ...blocks);
  expect(await scrub(here)).toEqual({ rotten: blocks.length, repaired: blocks.length });
  expect(isWhole(here)).toBe(true);
});

test('the top of the tree, one block below it, and data below another one: each from where it can be had', async () => {
  const here = place();
  rot(here.slot.verityDevice, 1, 3);
  rot(here.slot.dataDevice, 900);
  expect(await scrub(here, [otherSlot(here)])).toEqual({ rotten: 3, repaired: 3 });
  expect(isWhole(here)).toBe(true);
});

test('the top of the tree and one block below it, while data is rotten below all the others', async () => {
  const here = place();
  rot(here.slot.verityDevice, 1, 3);
  // 128 blocks of data for each of eight; of the second, which is rotten itself, none.
  rot(here.slot.dataDevice, 10, 20, 300, 310, 400, 520, 650, 780, 900, 999);
  const found = await scrub(here, [otherSlot(here)]);
  expect(found.rotten).toBe(12);
  expect(readFileSync(here.slot.verityDevice).equals(readFileSync(release.new.verity))).toBe(true);
});

test('a tree of three levels, rotten on each of them at one place', async () => {
  const at = join(directory, 'deep');
  const [data, tree] = [join(at, 'data'), join(at, 'tree')];
  mkdirSync(at);
  // Enough for a level of two blocks, whose second is short.
  const dataBlocks = 128 * 128 + 300;
  const bytes = Buffer.alloc(dataBlocks * 4096);
  for (let block = 0; block < dataBlocks; block += 1) bytes.writeUInt32LE(block, block * 4096);
  writeFileSync(data, bytes);
  writeFileSync(tree, Buffer.alloc(0));
  const dataMedium = openMedium(system, data, 'read-write');
  const treeMedium = openMedium(system, tree, 'read-write');
  const { salt } = release.manifest.root;
  const options = { dataBlocks, salt, scratch: join(at, 'scratch') };
  const rootHash = await makeTree(system, dataMedium, treeMedium, options);
  const whole = readFileSync(tree);
  // The top is block 1, 2 and 3 are the next level, 4 is the first of the leaves, 131 the last below 2, 133 is below 3.
  rot(tree, 1, 2, 4, 131, 133);
  const found = await scrubSlot(system, {
    ...options,
    rootHash,
    data: dataMedium,
    tree: treeMedium,
    sources: [],
    leafSources: [],
    pace: () => Promise.resolve(),
  });
  dataMedium.close();
  treeMedium.close();
  expect(found).toEqual({ rotten: 5, repaired: 5 });
  expect(readFileSync(tree).equals(whole)).toBe(true);
});

test('tree and data rotten at one place: what cannot be told is left alone', async () => {
  const here = place();
  const leaves = 2;
  rot(here.slot.verityDevice, leaves);
  rot(here.slot.dataDevice, 5);
  const before = readFileSync(here.slot.dataDevice);
  expect(await scrub(here, [otherSlot(here)])).toEqual({ rotten: 1, repaired: 0 });
  expect(readFileSync(here.slot.dataDevice).equals(before)).toBe(true);
});

test('tree and data rotten at one place: the release’s list of digests tells what the tree was, and that what the data was', async () => {
  const here = place();
  // The first and the last block of the leaves, which is not full.
  rot(here.slot.verityDevice, 2, 9);
  rot(here.slot.dataDevice, 5, 999);
  const { source, leaves } = network(here);
  expect(await scrub(here, [otherSlot(here), source], [leaves])).toEqual({ rotten: 4, repaired: 4 });
  expect(isWhole(here)).toBe(true);
});

test('a source that gives other bytes than the wanted ones changes nothing', async () => {
  const here = place();
  rot(here.slot.dataDevice, 7);
  const before = readFileSync(here.slot.dataDevice);
  const liar: BlockSource = (wanted) =>
    Promise.resolve(new Map([...wanted.keys()].map((block) => [block, new Uint8Array(4096)])));
  expect(await scrub(here, [liar])).toEqual({ rotten: 1, repaired: 0 });
  expect(readFileSync(here.slot.dataDevice).equals(before)).toBe(true);
});

test('another root hash than the slot holds: all of it is told rotten, and nothing is written', async () => {
  const here = place();
  writeFileSync(here.slot.dataDevice, readFileSync(release.old.root));
  writeFileSync(here.slot.verityDevice, readFileSync(release.old.verity));
  const found = await scrub(here, [otherSlot(here)]);
  expect(found).toEqual({ rotten: 1, repaired: 0 });
  expect(readFileSync(here.slot.dataDevice).equals(readFileSync(release.old.root))).toBe(true);
});
