/**
 * Payloads that are wrong though all their digests are right, as of a publisher whose tools or keys are somebody else's: decompression bombs, frames that
 * claim and do not hold, patches of nonsense. A delta of that kind gives way to honest payloads; a full one ends in an error, with nothing that boots. What
 * header fields may be is test/updater/payload's.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../../../spec/error.ts';
import { createNodeSystem } from '../../../../system/node.ts';
import { applyRoot } from '../../../../updater/device/apply/apply.ts';
import type { RootOptions } from '../../../../updater/device/apply/root-options.ts';
import { applyUki } from '../../../../updater/device/apply/uki.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { encodePatch, type PatchStep } from '../../../../updater/payload/patch.ts';
import type { PayloadReference } from '../../../../updater/release/document.ts';
import { writePayload, type MadeOperation } from '../../../../updater/repository/delta/write.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { makeRelease, sha256 } from './release.ts';
import { expectApplied, isRubbish, makeSlots, type Slots } from './slots.ts';

const BLOCK = 4096;
const directory = scratchDirectory();
const system = createNodeSystem();
const release = await makeRelease(join(directory, 'release'));
const { root, uki } = release.manifest;

const compressed = (bytes: Uint8Array, ...options: readonly string[]): Buffer =>
  execFileSync('zstd', ['-c', '-q', ...options], { input: bytes, maxBuffer: 2 ** 28 });
/** A single segment that states its size, as ours. */
const frame = (bytes: Uint8Array): Buffer => {
  const path = join(directory, 'content');
  writeFileSync(path, bytes);
  return execFileSync('zstd', ['-c', '-q', '--content-size', path], { maxBuffer: 2 ** 28 });
};
const block = Buffer.alloc(BLOCK, 7);
const zeros = (mebibytes: number): Buffer => Buffer.alloc(mebibytes * 2 ** 20);

/** States 4096 bytes in a single segment, and holds whatever follows. */
function claims(body: Uint8Array): Buffer {
  // FCS of two bytes: the size less 256 (RFC 8878, 3.1.1.1.4).
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f]), body]);
}

/** RFC 8878, 3.1.1.2: one block of a frame, the last one. */
function rle(sizeBytes: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeUIntLE((sizeBytes << 3) | (1 << 1) | 1, 0, 3);
  head[3] = 0x41;
  return head;
}

const BLOBS: Record<string, Uint8Array> = {
  'that is no frame': Buffer.from('no frame at all'.repeat(10)),
  'that is nothing but a head': claims(Buffer.alloc(0)),
  'that says less than it holds: a bomb of 128 KiB': claims(rle(131_072)),
  'that says more than it holds': claims(rle(100)),
  'behind which a bomb of 256 MiB follows': Buffer.concat([frame(block), compressed(zeros(256))]),
  'behind which a frame with a window of 1 GiB follows': Buffer.concat([
    frame(block),
    compressed(zeros(8), '--ultra', '--long=30', '--no-content-size'),
  ]),
  'behind which something else follows': Buffer.concat([frame(block), Buffer.from('something else')]),
  'that wants a window of 1 GiB': compressed(zeros(4), '--ultra', '--long=30', '--no-content-size'),
  'that begins with a frame to be skipped': Buffer.concat([
    Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]),
    frame(block),
  ]),
};

interface Place {
  readonly slots: Slots;
  readonly repository: string;
}

/** The release's repository, to which hostile payloads are added. */
function place(): Place {
  const repository = join(mkdtempSync(join(directory, 'hostile-')), 'repository');
  cpSync(release.repository, repository, { recursive: true });
  return { slots: makeSlots(directory, release), repository };
}

async function add(
  { repository }: Place,
  sizeBytes: number,
  sourceBytes: number,
  operations: readonly MadeOperation[],
): Promise<PayloadReference> {
  const output = join(repository, 'hostile');
  const reference = await writePayload(
    { blockBytes: sizeBytes % BLOCK === 0 ? BLOCK : 512, sourceBytes, targetBytes: sizeBytes, operations },
    output,
  );
  cpSync(output, join(repository, `${reference.sha256}.payload`));
  rmSync(output);
  return reference;
}

/** A block of this blob, and zeros to the end. */
function blobThenZeros(blob: Uint8Array, sizeBytes: number): readonly MadeOperation[] {
  return [
    {
      operation: {
        kind: 'full',
        target: { offset: 0, sizeBytes: BLOCK },
        blob: { storedBytes: blob.length, sha256: sha256(blob), contentBytes: BLOCK },
      },
      blob,
    },
    { operation: { kind: 'zero', target: { offset: BLOCK, sizeBytes: sizeBytes - BLOCK } } },
  ];
}

function options({ slots, repository }: Place, changes: Partial<RootOptions> = {}): RootOptions {
  return {
    manifest: release.manifest,
    source: slots.source,
    target: slots.target,
    fetcher: createFetcher(system, {
      mirrors: [repository],
      scratch: join(slots.directory, 'fetch'),
      limits: { pauseMs: 1, rounds: 1 },
    }),
    scratch: join(slots.directory, 'scratch'),
    progress: () => undefined,
    checkpoint: () => Promise.resolve(),
    ...changes,
  };
}

/** No superblock, so nothing that boots; nothing in memory; and honest payloads are applied over it. */
async function expectHarmless(here: Place): Promise<void> {
  const { target, directory: at } = here.slots;
  expect(isRubbish(readFileSync(target.verityDevice).subarray(0, BLOCK))).toBe(true);
  expect(readdirSync(join(at, 'scratch'))).toEqual([]);
  await applyRoot(system, options(here));
  expectApplied(here.slots, release);
}

describe.each(Object.entries(BLOBS))('a blob %s', (_, blob) => {
  test('in a delta: the blocks that are missing come honestly', async () => {
    const here = place();
    const payload = await add(here, root.sizeBytes, root.sizeBytes, blobThenZeros(blob, root.sizeBytes));
    const deltas = [{ ...payload, from: '1.0.0', fromHash: release.old.info.rootHash }];
    const manifest = { ...release.manifest, root: { ...root, deltas } };
    const outcome = await applyRoot(system, options(here, { manifest }));
    expect(outcome.kind).toBe('blocks');
    expectApplied(here.slots, release);
  });

  test('in a full payload: an error, and nothing that boots', async () => {
    const here = place();
    const full = await add(here, root.sizeBytes, 0, blobThenZeros(blob, root.sizeBytes));
    const manifest = { ...release.manifest, root: { ...root, deltas: [], full } };
    const failed = applyRoot(system, options(here, { manifest, source: undefined }));
    await expect(failed).rejects.toBeInstanceOf(SlipwayError);
    await expect(failed).rejects.toMatchObject({ code: 'payload.frame' });
    await expectHarmless(here);
  });
});

test('operations that make something else than the release: found by the root hash, and nothing that boots', async () => {
  const here = place();
  const full = await add(here, root.sizeBytes, 0, blobThenZeros(frame(block), root.sizeBytes));
  const list = Buffer.alloc(root.blockList.sizeBytes, 3);
  writeFileSync(join(here.repository, `${sha256(list)}.payload`), list);
  const blockList = { sha256: sha256(list), sizeBytes: list.length };
  const manifest = { ...release.manifest, root: { ...root, deltas: [], full, blockList } };
  const failed = applyRoot(system, options(here, { manifest, source: undefined }));
  await expect(failed).rejects.toMatchObject({ code: 'update.root-hash' });
  await expectHarmless(here);
});

const NOTHING = new Uint8Array(0);
const STEPS: Record<string, readonly PatchStep[]> = {
  'that copies from behind the old bytes': [
    { copyBytes: 0, differences: NOTHING, inserted: NOTHING, seek: 1_000_000 },
    { copyBytes: BLOCK, differences: NOTHING, inserted: NOTHING, seek: 0 },
  ],
  'that makes nothing': [],
  'that makes something else than it says': [
    { copyBytes: 0, differences: NOTHING, inserted: new Uint8Array(BLOCK), seek: 0 },
  ],
};

test.each(Object.entries(STEPS))('a patch %s: its blocks come honestly', async (_, steps) => {
  const here = place();
  const patch = encodePatch(steps);
  const blob = frame(patch);
  const operations: readonly MadeOperation[] = [
    {
      operation: {
        kind: 'patch',
        target: { offset: 0, sizeBytes: BLOCK },
        extents: [{ offset: 0, sizeBytes: BLOCK }],
        blob: { storedBytes: blob.length, sha256: sha256(blob), contentBytes: patch.length },
        resultSha256: sha256(block),
      },
      blob,
    },
    { operation: { kind: 'zero', target: { offset: BLOCK, sizeBytes: root.sizeBytes - BLOCK } } },
  ];
  const payload = await add(here, root.sizeBytes, root.sizeBytes, operations);
  const deltas = [{ ...payload, from: '1.0.0', fromHash: release.old.info.rootHash }];
  const manifest = { ...release.manifest, root: { ...root, deltas } };
  await applyRoot(system, options(here, { manifest }));
  expectApplied(here.slots, release);
});

test('a UKI of which a blob is a bomb: an error, and what came of it is not what is installed', async () => {
  const here = place();
  const blob = BLOBS['behind which a bomb of 256 MiB follows'] ?? block;
  const full = await add(here, uki.sizeBytes, 0, blobThenZeros(blob, uki.sizeBytes));
  const manifest = { ...release.manifest, uki: { ...uki, deltas: [], full } };
  const outputPath = join(here.slots.directory, 'new.efi');
  mkdirSync(join(here.slots.directory, 'scratch'), { recursive: true });
  const { fetcher, scratch, progress } = options(here);
  const failed = applyUki(system, {
    manifest,
    fetcher,
    scratch,
    progress,
    sourcePath: undefined,
    outputPath,
  });
  await expect(failed).rejects.toMatchObject({ code: 'payload.frame' });
});
