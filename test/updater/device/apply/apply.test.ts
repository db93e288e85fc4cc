import {
  closeSync,
  cpSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import type { System } from '../../../../system/system.ts';
import { applyRoot } from '../../../../updater/device/apply/apply.ts';
import type { RootOptions } from '../../../../updater/device/apply/root-options.ts';
import type { Checkpoint } from '../../../../updater/device/apply/facts.ts';
import { applyUki } from '../../../../updater/device/apply/uki.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { fetchProgram } from '../fetch/programs.ts';
import { serveFiles } from '../fetch/server.ts';
import { makeRelease, sha256 } from './release.ts';
import { expectApplied, isRubbish, makeSlots, type Slots } from './slots.ts';

const directory = scratchDirectory();
const system = createNodeSystem();
// Its last 240 blocks are copied in one stretch, by a program.
const release = await makeRelease(join(directory, 'release'), { blocks: 1000 });

const machine = (): Slots => makeSlots(directory, release);

function options(
  { directory: at, source, target }: Slots,
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

describe('a root', () => {
  test('is made by a delta from the running version', async () => {
    const here = machine();
    const outcome = await applyRoot(system, options(here));
    expectApplied(here, release);
    expect(outcome.kind).toBe('delta');
    expect(outcome.receivedBytes).toBe(release.manifest.root.deltas[0]?.sizeBytes);
  });

  test('made by a delta is not hashed block by block: the digests of what was copied are copied too', async () => {
    const here = machine();
    const spawned: (readonly string[])[] = [];
    const counting: System = {
      ...system,
      spawn: (argv, how) => {
        spawned.push(argv);
        return system.spawn(argv, how);
      },
    };
    await applyRoot(counting, options(here));
    expectApplied(here, release);
    const hashed = spawned.flatMap((argv) => (argv[0] === 'sha256sum' ? argv.slice(1) : []));
    expect(hashed.filter((path) => path.includes('/blocks')).length).toBeLessThan(400);
    expect(
      spawned.filter(([name, ...words]) => name === 'dd' && words.some((word) => word.startsWith('of='))),
    ).not.toEqual([]);
  });

  test('is found out where the running version’s tree is rotten, and made all the same', async () => {
    const here = machine();
    // A digest of a block that is copied: leaves lie behind the superblock, and one level above them.
    flip(here.source.verityDevice, 2 * 4096 + 32 * 5);
    await applyRoot(system, options(here));
    flip(here.source.verityDevice, 2 * 4096 + 32 * 5);
    expectApplied(here, release);
  });

  test('is made in full where nothing is known of the running version', async () => {
    const here = machine();
    const outcome = await applyRoot(system, options(here, { source: undefined }));
    expectApplied(here, release);
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
    expectApplied(here, release);
    expect(outcome.receivedBytes).toBeLessThan(release.manifest.root.full.sizeBytes);
  });
});

describe('blocks that are here', () => {
  const withoutDeltas = { ...release.manifest, root: { ...release.manifest.root, deltas: [] } };

  test('are copied, and only the frames that hold the others are fetched', async () => {
    const here = machine();
    const outcome = await applyRoot(system, options(here, { manifest: withoutDeltas }));
    expectApplied(here, release);
    expect(outcome.kind).toBe('blocks');
    expect(outcome.receivedBytes).toBeLessThan(0.8 * release.manifest.root.full.sizeBytes);
  });

  test('of the slot that is filled count too: the same version again costs its block list', async () => {
    const here = machine();
    await applyRoot(system, options(here));
    const outcome = await applyRoot(system, options(here, { manifest: withoutDeltas }));
    expectApplied(here, release);
    const { blockList, full } = release.manifest.root;
    expect(outcome).toEqual({ kind: 'blocks', receivedBytes: blockList.sizeBytes + full.headerBytes });
  });

  test('are not believed: what a rotten tree says is found out', async () => {
    const here = machine();
    // The running root's tree tells of a block that its data no longer is.
    flip(here.source.dataDevice, 250 * 4096 + 17);
    await applyRoot(system, options(here, { manifest: withoutDeltas }));
    flip(here.source.dataDevice, 250 * 4096 + 17);
    expectApplied(here, release);
  });
});

describe('a damaged running root', () => {
  test.each([
    ['a copied block', 10],
    ['a patched block', 100],
  ])('%s: only what it spoils comes from the full payload', async (_, block) => {
    const here = machine();
    flip(here.source.dataDevice, block * 4096 + 5);
    const asked: (readonly [string, number])[] = [];
    const outcome = await applyRoot(
      system,
      options(here, {
        mayFetch: (kind, bytes) => {
          asked.push([kind, bytes]);
          return true;
        },
      }),
    );
    flip(here.source.dataDevice, block * 4096 + 5);
    expectApplied(here, release);
    const { full, deltas, blockList } = release.manifest.root;
    const [kind, repair = 0] = asked.at(-1) ?? [];
    expect(kind).toBe('repair');
    expect(repair).toBeLessThan(full.sizeBytes / 5);
    expect(outcome.receivedBytes).toBeLessThanOrEqual(
      (deltas[0]?.sizeBytes ?? 0) + blockList.sizeBytes + full.headerBytes + repair,
    );
  });

  test('failure 2: nothing more is fetched over a metered link without leave', async () => {
    const here = machine();
    flip(here.source.dataDevice, 10 * 4096);
    await expect(applyRoot(system, options(here, { mayFetch: () => false }))).rejects.toMatchObject({
      code: 'update.not-allowed',
    });
  });

  test('that ends too early is no reason to fail either', async () => {
    const here = machine();
    truncateSync(here.source.dataDevice, 400 * 4096);
    const kinds: string[] = [];
    await applyRoot(
      system,
      options(here, {
        mayFetch: (kind) => {
          kinds.push(kind);
          return true;
        },
      }),
    );
    expect(kinds).toEqual(['repair']);
    writeFileSync(here.source.dataDevice, readFileSync(release.old.root));
    expectApplied(here, release);
  });
});

describe('failure 10: a delta that this machine refuses', () => {
  test.each([
    ['whose file is gone', (): Uint8Array | undefined => undefined],
    [
      'whose header exceeds a limit',
      (payload: Uint8Array): Uint8Array => {
        // As if of a version with larger blocks.
        const changed = Uint8Array.from(payload);
        changed[8] = 40;
        return changed;
      },
    ],
  ])('%s ends with the full payload', async (_, change) => {
    const here = machine();
    const repository = join(here.directory, 'repository');
    cpSync(release.repository, repository, { recursive: true });
    const [delta] = release.manifest.root.deltas;
    if (delta === undefined) throw new Error('there is no delta');
    const path = join(repository, `${delta.sha256}.payload`);
    const changed = change(readFileSync(path));
    rmSync(path);
    let reference = delta;
    if (changed !== undefined) {
      const header = changed.subarray(0, delta.headerBytes);
      reference = { ...delta, sha256: sha256(changed), headerSha256: sha256(header) };
      writeFileSync(join(repository, `${reference.sha256}.payload`), changed);
    }
    const manifest = { ...release.manifest, root: { ...release.manifest.root, deltas: [reference] } };
    const kinds: string[] = [];
    const outcome = await applyRoot(
      system,
      options(here, {
        manifest,
        mirrors: [repository],
        mayFetch: (kind) => {
          kinds.push(kind);
          return true;
        },
      }),
    );
    expectApplied(here, release);
    expect([outcome.kind, ...kinds]).toEqual(['blocks', 'blocks']);
  });
});

describe('hostile mirrors', () => {
  const { root } = release.manifest;

  test('a payload with one changed byte is taken from another mirror, and never decompressed', async () => {
    const here = machine();
    const bad = join(here.directory, 'bad');
    cpSync(release.repository, bad, { recursive: true });
    for (const { sha256: name, headerBytes } of [root.full, ...root.deltas])
      flip(join(bad, `${name}.payload`), headerBytes + 1000);
    await applyRoot(system, options(here, { mirrors: [bad, release.repository] }));
    expectApplied(here, release);
    const alone = options(machine(), { mirrors: [bad] });
    await expect(applyRoot(system, alone)).rejects.toMatchObject({ code: 'fetch.untrustworthy' });
  });

  test('a changed header is refused before it is read', async () => {
    const here = machine();
    const bad = join(here.directory, 'bad');
    cpSync(release.repository, bad, { recursive: true });
    for (const { sha256: name } of [root.full, ...root.deltas]) flip(join(bad, `${name}.payload`), 12);
    await expect(applyRoot(system, options(here, { mirrors: [bad] }))).rejects.toMatchObject({
      code: 'fetch.untrustworthy',
    });
    await applyRoot(system, options(here, { mirrors: [bad, release.repository] }));
    expectApplied(here, release);
  });

  test('failure 1: a dying link: every connection ends somewhere, and the result is right', async () => {
    const here = machine();
    const files = Object.fromEntries(
      readdirSync(release.repository).map((name) => [name, readFileSync(join(release.repository, name))]),
    );
    const server = await serveFiles(files, (request) =>
      request % 3 === 2 ? { kind: 'right' } : { kind: 'drop', afterBytes: 20_000 + 13_331 * request },
    );
    const fetch = { mirrors: [server.url], program: await fetchProgram('curl') };
    const fetcher = createFetcher(system, {
      ...fetch,
      scratch: join(here.directory, 'fetch'),
      limits: { pauseMs: 1 },
    });
    try {
      const outcome = await applyRoot(system, options(here, { source: undefined, fetcher }));
      expectApplied(here, release);
      expect(outcome.receivedBytes).toBeLessThan(1.01 * root.full.sizeBytes + 1000);
    } finally {
      await server.close();
    }
  });
});

test('a release that is larger than the slot is refused before anything is written', async () => {
  const here = machine();
  const target = { ...here.target, sizeBytes: 4096 };
  await expect(applyRoot(system, options(here, { target }))).rejects.toMatchObject({
    code: 'update.slot-too-small',
  });
  expect(isRubbish(readFileSync(here.target.dataDevice))).toBe(true);
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

function flip(path: string, offset: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, offset);
  writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 0x10]), 0, 1, offset);
  closeSync(file);
}
