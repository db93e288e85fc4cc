import { createHash } from 'node:crypto';
import { copyFile, link, mkdir, mkdtemp, open, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  openPackage,
  type PackageContent,
  type PackageEntry,
} from '../../../builder/debian/package-content.ts';
import { run } from '../../../builder/process/run.ts';
import { useEmptyCache } from './cache.ts';

const LONG = `/usr/share/${'long/'.repeat(30)}${'n'.repeat(120)}`;
const COPYRIGHT = [
  'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/',
  '',
  'Files: *',
  'Copyright: somebody',
  'License: MIT',
  '',
  'Files: other',
  'Copyright: somebody',
  'License: GPL-2+ or LGPL-2.1+',
  ' the text',
  '',
  'License: MIT',
  ' the text',
  '',
].join('\n');

let folder: string;
let deb: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-content-'));
  const tree = join(folder, 'tree');
  const files: Record<string, string> = {
    '/DEBIAN/control':
      'Package: sample\nVersion: 1\nArchitecture: amd64\nMaintainer: T <t@example.invalid>\nDescription: d\n',
    '/lib/firmware/blob': 'firmware',
    '/bin/script': '#!/bin/sh\n',
    '/usr/share/doc/sample/copyright': COPYRIGHT,
    '/usr/share/empty': '',
    [LONG]: 'long',
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), content);
  }
  await run(['chmod', '4755', join(tree, 'bin/script')]);
  await copyFile(
    process.execPath.endsWith('node') ? '/usr/bin/dpkg-deb' : '/bin/ls',
    join(tree, 'bin/program'),
  );
  await link(join(tree, 'bin/script'), join(tree, 'bin/twin'));
  await symlink('../lib/firmware/blob', join(tree, 'usr/link'));
  await symlink('/lib/firmware', join(tree, 'usr', 'l'.repeat(130)));
  deb = join(folder, 'sample.deb');
  await run(['dpkg-deb', '--root-owner-group', '-Zxz', '--build', tree, deb]);
});
afterAll(() => rm(folder, { recursive: true }));
useEmptyCache();

function find(content: PackageContent, path: string): PackageEntry {
  const found = content.entries.find((entry) => entry.path === path);
  if (found === undefined) throw new Error(`no ${path}`);
  return found;
}

async function contents(content: PackageContent, entry: PackageEntry): Promise<Buffer> {
  const tar = await open(content.tarPath);
  const buffer = Buffer.alloc(entry.sizeBytes);
  await tar.read(buffer, 0, entry.sizeBytes, entry.offset);
  await tar.close();
  return buffer;
}

test('every entry of the package, as dpkg-deb lists them, with /usr merged', async () => {
  const content = await openPackage(deb);
  const { stdout } = await run(['dpkg-deb', '--fsys-tarfile', deb]);
  const listing = await run(['tar', '--list'], { input: stdout });
  const names = listing.stdout
    .toString('utf8')
    .trimEnd()
    .split('\n')
    .map((name) => name.slice(1).replace(/\/$/, ''))
    .filter((name) => name !== '');
  expect(content.entries.map(({ path }) => path)).toEqual(
    names.map((name) => name.replace(/^\/(bin|lib)\//, '/usr/$1/')),
  );
});

test('contents lie where the index says', async () => {
  const content = await openPackage(deb);
  for (const [path, text] of [
    ['/usr/lib/firmware/blob', 'firmware'],
    [LONG, 'long'],
    ['/usr/share/empty', ''],
  ] as const) {
    const entry = find(content, path);
    expect((await contents(content, entry)).toString()).toBe(text);
    expect(entry.sha256).toBe(createHash('sha256').update(text).digest('hex'));
  }
});

test('modes, links and their targets', async () => {
  const content = await openPackage(deb);
  const script = ['/usr/bin/script', '/usr/bin/twin'].map((path) => find(content, path));
  expect(script.map(({ type }) => type).sort()).toEqual(['file', 'hardlink']);
  expect(script.find(({ type }) => type === 'file')?.mode).toBe(0o4755);
  expect(script.find(({ type }) => type === 'hardlink')?.target).toBe(
    script.find(({ type }) => type === 'file')?.path,
  );
  expect(find(content, '/usr/link')).toMatchObject({ type: 'symlink', target: '../lib/firmware/blob' });
  expect(find(content, `/usr/${'l'.repeat(130)}`)).toMatchObject({
    type: 'symlink',
    target: '/lib/firmware',
  });
  expect(find(content, '/usr/share')).toMatchObject({ type: 'directory', uid: 0, gid: 0 });
});

test('ELF files tell their needs, as the loader itself does', async () => {
  const content = await openPackage(deb);
  const program = find(content, '/usr/bin/program');
  const { stdout } = await run(['ldd', join(folder, 'tree/bin/program')]);
  const loaded = stdout.toString('utf8');
  expect(program.needed?.length).toBeGreaterThan(0);
  for (const name of program.needed ?? []) expect(loaded).toContain(name);
  expect(program.interpreter).toMatch(/^\/lib.*\/ld-linux/);
  expect(find(content, '/usr/bin/script').needed ?? find(content, '/usr/bin/twin').needed).toBeUndefined();
});

test('licences of the copyright file, each once', async () => {
  expect((await openPackage(deb)).licences).toEqual(['GPL-2+ or LGPL-2.1+', 'MIT']);
});

test('a documentation folder that is a link tells whose copyright file holds', async () => {
  const tree = join(folder, 'linked');
  await mkdir(join(tree, 'DEBIAN'), { recursive: true });
  await mkdir(join(tree, 'usr/share/doc'), { recursive: true });
  await writeFile(
    join(tree, 'DEBIAN/control'),
    'Package: linked\nVersion: 1\nArchitecture: amd64\nMaintainer: T <t@example.invalid>\nDescription: d\n',
  );
  await symlink('sample', join(tree, 'usr/share/doc/linked'));
  await run(['dpkg-deb', '--root-owner-group', '--build', tree, join(folder, 'linked.deb')]);
  expect(await openPackage(join(folder, 'linked.deb'))).toMatchObject({ licences: [], licencesOf: 'sample' });
});

test('a second opening reads the cache', async () => {
  const first = await openPackage(deb);
  await rm(join(folder, 'moved.deb'), { force: true });
  expect(await openPackage(deb)).toEqual(first);
});

describe('damaged packages', () => {
  test('are refused with the program that found it, and leave nothing in the cache', async () => {
    const damaged = join(folder, 'damaged.deb');
    await writeFile(damaged, 'no package');
    await expect(openPackage(damaged)).rejects.toMatchObject({ code: 'debian.bad-package' });
  });
});
