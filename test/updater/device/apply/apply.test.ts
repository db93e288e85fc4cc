import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import { applyRoot, type RootOptions } from '../../../../updater/device/apply/apply.ts';
import type { Checkpoint, SlotFacts } from '../../../../updater/device/apply/facts.ts';
import { applyUki } from '../../../../updater/device/apply/uki.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { makeRelease, type TestRelease } from './release.ts';

const directory = scratchDirectory();
const system = createNodeSystem();
const release = await makeRelease(join(directory, 'release'));
const SLOT_BYTES = 8 * 1024 * 1024;

interface Machine {
  readonly directory: string;
  readonly source: SlotFacts;
  readonly target: SlotFacts;
}

/** Two slots as files: one with the old version, one with rubbish. */
function machine({ old }: TestRelease = release): Machine {
  const at = mkdtempSync(join(directory, 'machine-'));
  const slot = (name: 'a' | 'b'): SlotFacts => ({
    slot: name,
    dataDevice: join(at, `root-${name}`),
    verityDevice: join(at, `verity-${name}`),
    sizeBytes: SLOT_BYTES,
  });
  const source = { ...slot('a'), rootHash: old.info.rootHash };
  const target = slot('b');
  writeFileSync(source.dataDevice, readFileSync(old.root));
  writeFileSync(source.verityDevice, readFileSync(old.verity));
  writeFileSync(target.dataDevice, Buffer.alloc(SLOT_BYTES, 0x5a));
  writeFileSync(target.verityDevice, Buffer.alloc(1024 * 1024, 0xa5));
  return { directory: at, source, target };
}

function options(
  { directory: at, source, target }: Machine,
  changes: Partial<RootOptions> & { readonly mirrors?: readonly string[] } = {},
): RootOptions {
  return {
    manifest: release.manifest,
    source,
    target,
    fetcher: createFetcher(system, {
      mirrors: changes.mirrors ?? [release.repository],
      scratch: join(at, 'fetch'),
      limits: { pauseMs: 1, rounds: 2 },
    }),
    scratch: join(at, 'scratch'),
    progress: () => undefined,
    checkpoint: () => Promise.resolve(),
    ...changes,
  };
}

/** Data and tree are those that veritysetup made; nothing else of the slot was touched. */
function expectApplied({ target, source }: Machine, { old, new: next }: TestRelease = release): void {
  const data = readFileSync(target.dataDevice);
  const root = readFileSync(next.root);
  expect(data.subarray(0, root.length).equals(root)).toBe(true);
  expect(data.subarray(root.length).every((byte) => byte === 0x5a)).toBe(true);
  const tree = readFileSync(target.verityDevice);
  const expected = readFileSync(next.verity);
  expect(tree.subarray(0, 4096).every((byte) => byte === 0xa5)).toBe(true);
  expect(tree.subarray(4096, expected.length).equals(expected.subarray(4096))).toBe(true);
  expect(tree.subarray(expected.length).every((byte) => byte === 0xa5)).toBe(true);
  expect(readFileSync(source.dataDevice).equals(readFileSync(old.root))).toBe(true);
}

describe('a root', () => {
  test('is made by a delta from the running version', async () => {
    const here = machine();
    const outcome = await applyRoot(system, options(here));
    expectApplied(here);
    expect(outcome.kind).toBe('delta');
    expect(outcome.receivedBytes).toBe(release.manifest.root.deltas[0]?.sizeBytes);
  });

  test('is made in full where nothing is known of the running version', async () => {
    const here = machine();
    const outcome = await applyRoot(system, options(here, { source: undefined }));
    expectApplied(here);
    expect(outcome).toEqual({ kind: 'full', receivedBytes: release.manifest.root.full.sizeBytes });
  });

  test('goes on from a checkpoint, and fetches nothing before it', async () => {
    const here = machine();
    const seen: Checkpoint[] = [];
    const stop = new Error('cut');
    await expect(
      applyRoot(
        system,
        options(here, {
          source: undefined,
          checkpoint: (done) => {
            seen.push(done);
            return Promise.reject(stop);
          },
        }),
      ),
    ).rejects.toBe(stop);
    const [resume] = seen;
    if (resume === undefined) throw new Error('there was no checkpoint');
    const outcome = await applyRoot(system, options(here, { source: undefined, resume }));
    expectApplied(here);
    expect(outcome.receivedBytes).toBeLessThan(release.manifest.root.full.sizeBytes);
  });
});

describe('a UKI', () => {
  test.each(['delta', 'full'] as const)('is made by %s', async (kind) => {
    const here = machine();
    const outputPath = join(here.directory, 'new.efi');
    const made = await applyUki(system, {
      ...options(here),
      sourcePath: kind === 'delta' ? release.old.uki : undefined,
      outputPath,
    });
    expect(made).toBe(kind);
    expect(readFileSync(outputPath).equals(readFileSync(release.new.uki))).toBe(true);
  });
});
