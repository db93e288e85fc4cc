/** The scrub under the machine's QuickJS, in the memory that the updater has: whatever the image is, and however much of it is rotten. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { bundleProgram, memoryGroup } from '../apply/machine.ts';
import { makeRelease } from '../apply/release.ts';
import { makeSlots } from '../apply/slots.ts';
import { fetchProgram } from '../fetch/programs.ts';
import type { ScrubJob } from './memory-main.ts';

const LIMIT_BYTES = 24 * 1024 * 1024;
const BLOCK = 4096;
const directory = scratchDirectory();
/** In memory, as on the machine. */
const memory = mkdtempSync('/dev/shm/slipway-scrub-');
afterAll(() => rmSync(memory, { recursive: true, force: true }));

test.runIf(process.getuid?.() === 0)(
  '24 MB of memory are enough for a scrub, with a tree that is rotten on both levels and 300 rotten blocks',
  async () => {
    const release = await makeRelease(join(directory, 'release'), { blocks: 8192, deltas: 'none' });
    const start = await bundleProgram<ScrubJob>(directory, new URL('memory-main.ts', import.meta.url));
    const { source, target } = makeSlots(directory, release);
    const data = readFileSync(release.new.root);
    const tree = readFileSync(release.new.verity);
    const rotten = { data: Buffer.from(data), tree: Buffer.from(tree) };
    // The top of the tree and a block below it; blocks that the other slot has, and 40 that it has not.
    for (const block of [1, 62]) rotten.tree.fill(0x5a, block * BLOCK + 100, block * BLOCK + 200);
    for (let index = 0; index < 300; index += 1) {
      const block = index < 40 ? 600 + index : 1000 + 9 * index;
      rotten.data.fill(0x5a, block * BLOCK + 100, block * BLOCK + 200);
    }
    writeFileSync(target.dataDevice, rotten.data);
    writeFileSync(target.verityDevice, rotten.tree);
    const group = memoryGroup(LIMIT_BYTES);
    if (group === undefined) throw new Error('no memory control group can be made here');
    try {
      const job: ScrubJob = {
        manifest: release.manifest,
        data: target.dataDevice,
        tree: target.verityDevice,
        other: {
          data: source.dataDevice,
          tree: source.verityDevice,
          dataBlocks: release.old.info.dataBlocks,
        },
        fetch: {
          mirrors: [release.repository],
          scratch: join(memory, 'fetch'),
          program: await fetchProgram('curl'),
        },
        scratch: join(memory, 'scrub'),
      };
      const run = await start(job, group);
      expect(await run.ended).toEqual({ code: 0, outcome: { rotten: 302, repaired: 302 } });
      expect(readFileSync(target.dataDevice).equals(data)).toBe(true);
      expect(readFileSync(target.verityDevice).equals(tree)).toBe(true);
      expect(group.killed()).toBe(0);
      expect(group.peakBytes()).toBeGreaterThan(4 * 1024 * 1024);
      expect(group.peakBytes()).toBeLessThanOrEqual(LIMIT_BYTES);
      console.log(`the scrub took ${(group.peakBytes() / 2 ** 20).toFixed(1)} MiB at most`);
    } finally {
      group.remove();
    }
  },
  600_000,
);
