/** Builds become releases, as clients see them. */
import { X509Certificate, createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadKeys } from '../../../../builder/keys/load.ts';
import { INSTANT } from '../../../../updater/release/curve.ts';
import type { TufKeys } from '../../../../updater/repository/keys/load.ts';
import { addReleases, type Added } from '../../../../updater/repository/release/add.ts';
import type { AddOptions } from '../../../../updater/repository/release/add-options.ts';
import { readBuild, type Build } from '../../../../updater/repository/release/build.ts';
import type { PayloadTools } from '../../../../updater/repository/release/payload-tools.ts';
import {
  contentOfUpdate,
  openSecureBootChanges,
  type CertificateFiles,
  type SecureBootChanges,
} from '../../../../updater/repository/release/secure-boot.ts';
import { parseSignatureLists } from '../../../../updater/device/switch/signature-list.ts';
import { repositoryFiles } from '../../../../updater/repository/repository/files.ts';
import { initRepository } from '../../../../updater/repository/repository/init.ts';
import { readAsClient } from '../../../../updater/repository/verify/client.ts';
import { verifyRepository } from '../../../../updater/repository/verify/verify.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { repositoryKeys, testBuild, testTools, writeTestBuild } from '../test-build.ts';

const scratch = scratchDirectory();
const repository = join(scratch, 'repository');
const images = join(scratch, 'images');
let keys: TufKeys;
let tools: PayloadTools;
const builds = new Map<string, Build>();

const OPTIONS: AddOptions = {
  ...{ channels: ['stable'], keep: 8, from: [], curve: INSTANT, barriers: [], notes: '' },
  withoutBrake: 'hold',
};

function add(versions: readonly string[], options: Partial<AddOptions> = {}): Promise<Added> {
  const chosen = versions.map((version) => builds.get(version)).filter((build) => build !== undefined);
  return addReleases(repository, chosen, keys, { ...OPTIONS, tools, imageFolder: images, ...options });
}

const root = (): Uint8Array => keys.rootChain[0]?.bytes ?? new Uint8Array();

beforeAll(async () => {
  keys = await repositoryKeys(join(scratch, 'keys'), { channels: ['stable', 'beta'] });
  tools = await testTools();
  for (const version of ['1.0.0', '1.1.0', '1.2.0~rc.1'])
    builds.set(version, await testBuild(join(scratch, 'builds'), { version }));
  await initRepository(repository, keys);
});

describe.sequential('release add', () => {
  test('the first release has full payloads and a block list; the next ones deltas from those before', async () => {
    const first = await add(['1.0.0'], { notes: '# First' });
    expect(first.publication).toEqual({ signed: ['targets', 'snapshot', 'timestamp'], waitingFor: [] });
    const second = await add(['1.2.0~rc.1', '1.1.0']);
    const [v11, rc] = second.releases;
    expect(v11?.entry).toMatchObject({ version: '1.1.0', sequence: 2, barrier: false });
    expect(rc?.entry).toMatchObject({ version: '1.2.0~rc.1', sequence: 3 });
    expect(rc?.manifest.root.deltas.map(({ from }) => from)).toEqual(['1.1.0', '1.0.0']);
    for (const { manifest } of second.releases)
      for (const content of [manifest.root, manifest.uki])
        for (const delta of content.deltas) expect(delta.sizeBytes).toBeLessThan(content.full.sizeBytes / 5);
    expect(v11?.manifest.root.blockList.sizeBytes).toBe(64 * 32);
    const result = await verifyRepository(repository, { root: root(), tools, depth: 'payloads' });
    expect(result).toMatchObject({ releases: 3, applied: 12, unappliable: 0, problems: [] });
  });

  test('failure 8: a delta names its source by the content, so that another image of that version takes the full payload', async () => {
    const view = await readAsClient(repositoryFiles(repository), root());
    const name = 'release_test_1.1.0_amd64.json';
    const target = view.targets.targets.get(name);
    const manifest = JSON.parse(
      await readFile(join(repository, `${target?.sha256}.${name}`), 'utf8'),
    ) as Added['releases'][number]['manifest'];
    expect(manifest.root.deltas[0]?.fromHash).toBe(builds.get('1.0.0')?.root.rootHash);
    expect(manifest.uki.deltas[0]?.fromHash).toBe(builds.get('1.0.0')?.uki.sha256);
  });

  test('run again, it changes nothing; the same version with another content is refused', async () => {
    const before = (await readdir(repository)).filter((name) => !/timestamp/.test(name));
    const again = await add(['1.1.0']);
    expect(again.releases[0]?.status).toBe('unchanged');
    expect((await readdir(repository)).filter((name) => !/timestamp/.test(name))).toEqual(before);
    const other = await testBuild(join(scratch, 'other'), { version: '1.1.0', change: 'something else' });
    await expect(
      addReleases(repository, [other], keys, { ...OPTIONS, tools, imageFolder: images }),
    ).rejects.toMatchObject({
      code: 'release.exists',
    });
  });

  test('an old version can become a barrier, and a new one be reached from some only', async () => {
    builds.set('2.0.0', await testBuild(join(scratch, 'builds'), { version: '2.0.0' }));
    const { releases } = await add(['2.0.0'], {
      ...{ barriers: ['1.1.0'], minimumVersion: '1.1.0', keep: 1, from: ['1.0.0'] },
    });
    expect(releases[0]?.manifest.root.deltas.map(({ from }) => from)).toEqual(['1.2.0~rc.1', '1.0.0']);
    const { targets } = await readAsClient(repositoryFiles(repository), root());
    expect(targets.targets.get('release_test_1.1.0_amd64.json')?.custom).toMatchObject({ barrier: true });
    expect(targets.targets.get('release_test_2.0.0_amd64.json')?.custom).toMatchObject({
      minimumVersion: '1.1.0',
    });
  });

  test('images that the cache has lost are made again from their full payloads', async () => {
    builds.set('2.1.0', await testBuild(join(scratch, 'builds'), { version: '2.1.0' }));
    expect((await readdir(images)).length).toBeGreaterThan(0);
    await rm(images, { recursive: true, force: true });
    const { releases } = await add(['2.1.0'], { keep: 2 });
    expect(releases[0]?.manifest.root.deltas.map(({ from }) => from)).toEqual(['2.0.0', '1.2.0~rc.1']);
    // The new one and the last two, each with root and UKI.
    expect((await readdir(images)).length).toBe(6);
  });

  const changes = (files: CertificateFiles): Promise<SecureBootChanges> =>
    openSecureBootChanges(join(scratch, 'keys'), files, () => Promise.resolve(undefined));
  const digestOf = async (path: string): Promise<string> =>
    createHash('sha256')
      .update(new X509Certificate(await readFile(path)).raw)
      .digest('hex');
  const contentOf = async ({ releases }: Added, variable: string): Promise<readonly unknown[]> => {
    const found = releases[0]?.manifest.secureBoot?.find((update) => update.variable === variable);
    const bytes = await readFile(join(repository, `${found?.auth.sha256}.payload`));
    return parseSignatureLists(contentOfUpdate(bytes)).map(({ digest }) => digest);
  };

  test('a release retires a leaf; those after it still do; what that leaf signed is published no more', async () => {
    const [own, other] = [join(scratch, 'keys/leaf.crt'), join(scratch, 'keys/debug/leaf.crt')];
    for (const version of ['2.2.0', '2.3.0', '2.4.0'])
      builds.set(version, await testBuild(join(scratch, 'builds'), { version }));
    const first = await add(['2.2.0'], { keep: 0, secureBoot: await changes({ dbx: [other] }) });
    expect(await contentOf(first, 'dbx')).toEqual([await digestOf(other)]);
    const later = await add(['2.3.0'], { keep: 0 });
    const { secureBoot } = first.releases[0]!.manifest;
    expect(later.releases[0]?.manifest).toMatchObject({ revokes: [await digestOf(other)], secureBoot });
    for (const dbx of [[own], [join(scratch, 'keys/db.crt')]])
      await expect(add(['2.4.0'], { keep: 0, secureBoot: await changes({ dbx }) })).rejects.toMatchObject({
        code: 'release.revoked',
      });
  });

  test('a release makes machines trust another CA and another KEK, beside what earlier ones changed', async () => {
    const [authority, kek] = [join(scratch, 'keys/debug/db.crt'), join(scratch, 'keys/debug/KEK.crt')];
    for (const version of ['2.5.0', '2.6.0'])
      builds.set(version, await testBuild(join(scratch, 'builds'), { version }));
    const added = await add(['2.5.0'], {
      keep: 0,
      secureBoot: await changes({ KEK: [kek], db: [authority] }),
    });
    expect(added.releases[0]?.manifest.secureBoot?.map(({ variable }) => variable)).toEqual([
      ...['dbx', 'KEK', 'db'],
    ]);
    expect(await contentOf(added, 'db')).toEqual([await digestOf(authority)]);
    expect(await contentOf(added, 'KEK')).toEqual([await digestOf(kek)]);
    // The same once more, and one more: each stands there once.
    const leaf = join(scratch, 'keys/debug/leaf.crt');
    const more = await add(['2.6.0'], {
      keep: 0,
      secureBoot: await changes({ db: [authority, leaf], dbx: [] }),
    });
    expect(await contentOf(more, 'db')).toEqual([await digestOf(authority), await digestOf(leaf)]);
    expect(more.releases[0]?.manifest.secureBoot?.length).toBe(3);
    await expect(changes({ db: [join(scratch, 'keys/keys.json')] })).rejects.toMatchObject({
      code: 'usage.certificate',
    });
  });

  test('what cannot be: unknown channels, versions, two of one', async () => {
    await expect(add(['2.1.0'], { channels: ['nightly'] })).rejects.toMatchObject({ code: 'usage.channel' });
    await expect(add(['2.1.0'], { from: ['0.1'] })).rejects.toMatchObject({ code: 'release.unknown' });
    await expect(add(['2.1.0', '2.1.0'])).rejects.toMatchObject({ code: 'usage.twice' });
  });

  test('a second publisher waits for its turn', async () => {
    const lock = join(repository, '.slipway/lock');
    await writeFile(lock, JSON.stringify({ pid: process.ppid, host: hostname(), since: 'now' }));
    await expect(add(['2.1.0'])).rejects.toMatchObject({ code: 'repository.locked' });
    // Of a process that has ended.
    await writeFile(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), since: 'then' }));
    await add(['2.1.0']);
    expect(existsSync(lock)).toBe(false);
  });

  test('nothing is signed anew that others slipped in', async () => {
    const copy = join(scratch, 'slipped');
    await cp(repository, copy, { recursive: true });
    const others = await repositoryKeys(join(scratch, 'other-keys'));
    await expect(
      addReleases(copy, [], others, { ...OPTIONS, tools, imageFolder: images }),
    ).rejects.toMatchObject({
      code: 'repository.other-keys',
    });
    // A higher version of targets.json, which the keys did not sign, is passed over.
    const names = await readdir(copy);
    const newest = Math.max(...names.map((name) => Number(/^(\d+)\.targets/.exec(name)?.[1] ?? 0)));
    const text = await readFile(join(copy, `${newest}.targets.json`), 'utf8');
    await writeFile(
      join(copy, `${newest + 1}.targets.json`),
      text.replace('"barrier":true', '"barrier":false'),
    );
    await addReleases(copy, [], keys, { ...OPTIONS, tools, imageFolder: images });
    const view = await readAsClient(repositoryFiles(copy), root());
    expect(view.targets.version).toBe(newest);
  });
});

describe('a build directory', () => {
  const authorities = async () => {
    const { sets } = await loadKeys(join(scratch, 'keys'));
    return { release: sets.release.db.certificate, debug: sets.debug.db.certificate };
  };

  test('is held against its manifest, byte for byte', async () => {
    const directory = await writeTestBuild(join(scratch, 'damaged'), { version: '3.0.0' });
    await expect(readBuild(directory, await authorities())).resolves.toMatchObject({ version: '3.0.0' });
    const path = join(directory, 'test_3.0.0.root.erofs');
    const bytes = await readFile(path);
    bytes[100_000] = (bytes[100_000] ?? 0) ^ 1;
    await writeFile(path, bytes);
    await expect(readBuild(directory, undefined)).rejects.toMatchObject({ code: 'build.invalid' });
    await truncate(join(directory, 'test_3.0.0.efi'), 1000);
    await expect(readBuild(directory, undefined)).rejects.toThrow();
    await rm(join(directory, 'manifest.json'));
    await expect(readBuild(directory, undefined)).rejects.toMatchObject({ code: 'build.missing' });
  });

  test('must be signed by the keys that its machines trust', async () => {
    const directory = await writeTestBuild(join(scratch, 'debug'), { version: '3.1.0', debug: true });
    const { release, debug } = await authorities();
    await expect(readBuild(directory, { release, debug })).resolves.toMatchObject({ debug: true });
    await expect(readBuild(directory, { release, debug: release })).rejects.toMatchObject({
      code: 'build.other-keys',
    });
  });
});
