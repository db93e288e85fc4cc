/** A repository over its life: damaged, collected, bundled, published by a process that is killed. */
import { fork } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { build } from 'esbuild';
import { extract } from 'tar-stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { INSTANT } from '../../../../updater/release/curve.ts';
import type { ReleaseEntry } from '../../../../updater/release/document.ts';
import { collectGarbage, droppable } from '../../../../updater/repository/gc/gc.ts';
import { makeBundle } from '../../../../updater/repository/bundle/bundle.ts';
import type { TufKeys } from '../../../../updater/repository/keys/load.ts';
import { addReleases } from '../../../../updater/repository/release/add.ts';
import { withdrawRelease } from '../../../../updater/repository/release/change.ts';
import type { PayloadTools } from '../../../../updater/repository/release/payload-tools.ts';
import { repositoryFiles, type RepositoryFiles } from '../../../../updater/repository/repository/files.ts';
import { initRepository } from '../../../../updater/repository/repository/init.ts';
import { readAsClient } from '../../../../updater/repository/verify/client.ts';
import { verifyRepository } from '../../../../updater/repository/verify/verify.ts';
import { payloadsOf, readManifest, releasesOf } from '../../../../updater/repository/release/read.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { ENTRY } from '../../release/samples.ts';
import { repositoryKeys, testBuild, testTools } from '../test-build.ts';

const scratch = scratchDirectory();
const base = join(scratch, 'base');
const imageFolder = join(scratch, 'images');
const VERSIONS = ['1.0.0', '1.1.0', '1.2.0', '1.3.0'];
const NOW = new Date('2026-03-01T00:00:00Z');
const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);
let keys: TufKeys;
let tools: PayloadTools;

const OPTIONS = {
  ...{ channels: ['stable'], keep: 1, from: [], curve: INSTANT, barriers: ['1.1.0'], notes: '' },
  ...{ withoutBrake: 'hold' as const, imageFolder, now: NOW },
};
const root = (): Uint8Array => keys.rootChain[0]?.bytes ?? new Uint8Array();

beforeAll(async () => {
  keys = await repositoryKeys(join(scratch, 'keys'), { now: NOW });
  tools = await testTools();
  const builds = [];
  for (const version of VERSIONS) builds.push(await testBuild(join(scratch, 'builds'), { version }));
  await initRepository(base, keys, { now: NOW, validDays: { timestamp: 365, snapshot: 365 } });
  await addReleases(base, builds, keys, { ...OPTIONS, tools });
});

async function copyOf(directory = base): Promise<string> {
  const copy = await mkdtemp(join(scratch, 'copy-'));
  await cp(directory, copy, { recursive: true });
  return copy;
}

const verify = (directory: string, now = NOW) =>
  verifyRepository(directory, { root: root(), tools, depth: 'payloads', now });

describe('repo verify', () => {
  test('a repository as it should be: every payload makes what it should', async () => {
    expect(await verify(base)).toMatchObject({ releases: 4, applied: 14, unappliable: 0, problems: [] });
  });

  test('says of each file that it is damaged or missing', async () => {
    const directory = await copyOf();
    const payloads = (await readdir(directory)).filter((name) => name.endsWith('.payload'));
    const [first = '', second = ''] = payloads;
    await truncate(join(directory, first), 10);
    await rm(join(directory, second));
    const { problems } = await verify(directory);
    expect(problems).toContain(`${first} is damaged`);
    expect(problems).toContain(`${second} is missing`);
  });

  test('says which machines have no way to the newest release', async () => {
    const directory = await copyOf();
    const { stranded } = await withdrawRelease(
      directory,
      keys,
      { version: '1.1.0' },
      { reason: 'bad', now: NOW },
    );
    expect(stranded).toEqual([]);
    const build = await testBuild(join(scratch, 'builds'), { version: '2.0.0' });
    const options = { ...OPTIONS, tools, barriers: [], minimumVersion: '1.4.0' };
    await addReleases(directory, [build], keys, options);
    const { problems } = await verify(directory);
    expect(problems).toContainEqual('test (amd64) on stable: machines on 1.3.0 get nowhere, not to 2.0.0');
    expect(problems).toContainEqual(
      'test (amd64) on stable: machines older than all releases get to 1.3.0 only, not to 2.0.0',
    );
  });
});

describe('repo gc', () => {
  test('drops old releases, but no barrier; and files only when their time is over', async () => {
    const directory = await copyOf();
    const options = { keep: 1, graceSeconds: 7 * 86_400, mode: 'remove' } as const;
    const first = await collectGarbage(directory, keys, { ...options, now: later(1) });
    expect(first.dropped.map(({ version }) => version)).toEqual(['1.0.0', '1.2.0']);
    expect(first.removed).toEqual([]);
    expect(first.waiting.length).toBeGreaterThan(4);
    const soon = await collectGarbage(directory, keys, { ...options, now: later(7.9) });
    expect(soon.removed).toEqual([]);
    const then = await collectGarbage(directory, keys, { ...options, now: later(8.1) });
    expect(then.removed.map(({ name }) => name).sort()).toEqual(first.waiting.map(({ name }) => name).sort());
    expect(await verify(directory, later(9))).toMatchObject({ releases: 2, problems: [] });
  });

  test('a client that began before an update was published still finds everything that it was told of', async () => {
    const directory = await copyOf();
    const files = repositoryFiles(directory);
    const timestamp = await files.read('timestamp.json');
    const stale: RepositoryFiles = {
      ...files,
      read: (name) => (name === 'timestamp.json' ? Promise.resolve(timestamp) : files.read(name)),
    };
    const options = { keep: 1, graceSeconds: 7 * 86_400, mode: 'remove' } as const;
    await collectGarbage(directory, keys, { ...options, now: later(1) });
    await collectGarbage(directory, keys, { ...options, now: later(7) });
    const { targets } = await readAsClient(stale, root(), later(7));
    const entries = releasesOf(targets);
    expect(entries.length).toBe(4);
    for (const entry of entries)
      for (const { sha256, sizeBytes } of payloadsOf(await readManifest(files, targets, entry)))
        expect((await stat(join(directory, `${sha256}.payload`))).size).toBe(sizeBytes);
  });

  test('what is needed again before its time is over stays', async () => {
    const directory = await copyOf();
    const options = { keep: 1, graceSeconds: 7 * 86_400, mode: 'remove' } as const;
    await collectGarbage(directory, keys, { ...options, now: later(1) });
    const build = await testBuild(join(scratch, 'builds'), { version: '1.0.0' });
    await addReleases(directory, [build], keys, { ...OPTIONS, tools, now: later(2) });
    // Out of the list only now: a client may have read it a moment ago.
    const { removed } = await collectGarbage(directory, keys, { ...options, now: later(8.6) });
    const full = JSON.parse(
      await readFile(join(directory, '.slipway/made', `full-${build.root.rootHash}`), 'utf8'),
    ) as {
      sha256: string;
    };
    expect(removed.map(({ name }) => name)).not.toContain(`${full.sha256}.payload`);
  });

  test('keeps what somebody needs on the way', () => {
    const entry = (version: string, rest: Partial<ReleaseEntry> = {}): ReleaseEntry => ({
      ...ENTRY,
      version,
      ...rest,
    });
    const { channels } = ENTRY;
    const entries = [
      entry('1.0.0'),
      entry('1.5.0'),
      entry('2.0.0', { minimumVersion: '1.5.0' }),
      entry('0.9.0', { channels: { old: channels['stable'] ?? { startsAt: 0, curve: INSTANT } } }),
    ];
    // 1.5.0 is no barrier, but without it nobody older gets to 2.0.0; 0.9.0 is the newest of its channel.
    expect(droppable(entries, 1).map(({ version }) => version)).toEqual(['1.0.0']);
    expect(droppable(entries, undefined)).toEqual([]);
  });
});

describe('release bundle', () => {
  test('a tar and a folder from which a client gets there, by way of the barrier', async () => {
    const options = { root: root(), from: ['1.0.0'], full: 'without', now: NOW } as const;
    const output = join(scratch, 'bundle.tar');
    const bundle = await makeBundle(base, output, { ...options, form: 'tar' });
    expect(bundle.releases.map(({ version }) => version)).toEqual(['1.3.0', '1.1.0']);
    // The timestamp is what expires first.
    const { signed } = JSON.parse(await readFile(join(base, 'timestamp.json'), 'utf8')) as {
      signed: { expires: string };
    };
    expect(bundle.validUntil).toEqual(new Date(signed.expires));
    const folder = join(scratch, 'stick');
    await makeBundle(base, folder, { ...options, form: 'folder' });
    const { targets } = await readAsClient(repositoryFiles(folder), root(), NOW);
    expect(releasesOf(targets).length).toBe(4);
    const members = new Map<string, Buffer>();
    const archive = extract();
    archive.end(await readFile(output));
    for await (const member of archive) {
      const parts: Buffer[] = [];
      for await (const part of member as AsyncIterable<Buffer>) parts.push(part);
      members.set(member.header.name, Buffer.concat(parts));
    }
    expect([...members.keys()].sort()).toEqual((await readdir(folder)).sort());
    for (const [name, bytes] of members) expect(bytes.equals(await readFile(join(base, name)))).toBe(true);
    const again = join(scratch, 'again.tar');
    await makeBundle(base, again, { ...options, form: 'tar' });
    expect((await readFile(again)).equals(await readFile(output))).toBe(true);
  });

  test('for any machine: full payloads of the newest release', async () => {
    const folder = join(scratch, 'full');
    const options = { root: root(), from: [], full: 'with', form: 'folder', now: NOW } as const;
    const { releases } = await makeBundle(base, folder, options);
    expect(releases.map(({ version }) => version)).toEqual(['1.3.0']);
    // Two full payloads and a block list.
    expect((await readdir(folder)).filter((name) => name.endsWith('.payload')).length).toBe(3);
  });
});

test('killed at any moment, release add is run again and completes', async () => {
  const source = (path: string): string => new URL(path, import.meta.url).pathname;
  // The thread that diffs is looked for beside the program's own package.
  await writeFile(join(scratch, 'package.json'), '{}');
  const script = join(scratch, 'dist/add-process.mjs');
  await build({
    entryPoints: [source('./add-process.ts'), source('../../../../updater/repository/delta/diff-worker.ts')],
    entryNames: '[name]',
    outdir: join(scratch, 'dist'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  const next = join(scratch, 'builds', 'test_1.4.0');
  await testBuild(join(scratch, 'builds'), { version: '1.4.0' });
  const directory = await copyOf();
  const start = (): ReturnType<typeof fork> =>
    fork(script, [directory, join(scratch, 'keys'), next, join(scratch, 'killed-images')], {
      // What it says as it fails belongs to this test's output.
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
  const ended = (child: ReturnType<typeof fork>): Promise<unknown> =>
    new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));

  let kills = 0;
  // Each time a little later, until one lives long enough.
  for (let delayMs = 300; ; delayMs *= 1.4) {
    const child = start();
    const result = ended(child);
    await Promise.race([result, wait(delayMs)]);
    child.kill('SIGKILL');
    const how = await result;
    const view = await readAsClient(repositoryFiles(directory), root());
    const versions = releasesOf(view.targets).map(({ version }) => version);
    expect(versions.slice(-4)).toEqual(['1.3.0', '1.2.0', '1.1.0', '1.0.0']);
    if (how === 0) break;
    expect(how).toBe('SIGKILL');
    kills++;
  }
  expect(kills).toBeGreaterThan(1);
  const result = await verifyRepository(directory, { root: root(), tools, depth: 'payloads' });
  expect(result).toMatchObject({ releases: 5, problems: [] });
  expect((await readdir(join(directory, '.slipway'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});
