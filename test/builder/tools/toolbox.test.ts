import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheRoot } from '../../../builder/cache/directory.ts';
import { objectPath } from '../../../builder/debian/fetch.ts';
import type { LockedPackage } from '../../../builder/lock/lock-file.ts';
import { run } from '../../../builder/process/run.ts';
import { openToolbox, type Toolbox } from '../../../builder/tools/toolbox.ts';
import { useSharedCache } from '../debian/cache.ts';

const nowhere = { mirrors: () => Promise.reject(new Error('a mirror was asked for')) };

let folder: string;
let packages: LockedPackage[];
useSharedCache();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-toolbox-'));
  const libraries = await librariesOf('/usr/bin/dpkg-deb');
  packages = [
    await cached(
      'tool',
      { 'usr/bin/dpkg-deb': '/usr/bin/dpkg-deb' },
      { 'usr/bin/link': 'dpkg-deb', 'usr/sbin/absolute': '/usr/bin/dpkg-deb' },
    ),
    // The loader's package may well put it under /lib: the tree is merged.
    await cached(
      'libraries',
      Object.fromEntries(libraries.map((path) => [`lib/x86_64-linux-gnu/${basename(path)}`, path])),
      {},
    ),
  ];
});
afterAll(() => rm(folder, { recursive: true }));

async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run(['ldd', program]);
  return [...stdout.toString('utf8').matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? '');
}

/** A package with copies of the machine's files, in the cache. */
async function cached(
  name: string,
  files: Record<string, string>,
  links: Record<string, string>,
): Promise<LockedPackage> {
  const tree = join(folder, name);
  await mkdir(join(tree, 'DEBIAN'), { recursive: true });
  const control = `Package: ${name}\nVersion: 1\nArchitecture: amd64\nMaintainer: T <t@example.invalid>\nDescription: d\n`;
  await writeFile(join(tree, 'DEBIAN/control'), control);
  for (const [path, source] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await cp(source, join(tree, path), { dereference: true });
  }
  for (const [path, target] of Object.entries(links)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await symlink(target, join(tree, path));
  }
  const deb = join(folder, `${name}.deb`);
  await run(['dpkg-deb', '--root-owner-group', '-Znone', '--build', tree, deb]);
  const bytes = await readFile(deb);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  await mkdir(dirname(objectPath(sha256)), { recursive: true });
  await cp(deb, objectPath(sha256));
  return {
    name,
    version: '1',
    architecture: 'amd64',
    suite: 'trixie',
    filename: `pool/${name}.deb`,
    sizeBytes: bytes.length,
    sha256,
    depends: [],
    source: name,
  };
}

const open = (): Promise<Toolbox> => openToolbox(packages, nowhere);

describe.runIf(process.arch === 'x64')('programs of locked packages', () => {
  test('run with the libraries of the toolbox, not with those of the machine', async () => {
    const toolbox = await open();
    const { stdout } = await run([...toolbox.command('dpkg-deb'), '--version']);
    expect(stdout.toString('utf8')).toContain("Debian 'dpkg-deb'");
    const [loader = '', ...rest] = toolbox.command('dpkg-deb');
    const listing = await run([loader, ...rest.slice(0, -1), '--list', ...rest.slice(-1)]);
    const loaded = [...listing.stdout.toString('utf8').matchAll(/(\/\S+) \(0x/g)].map(
      (match) => match[1] ?? '',
    );
    expect(loaded.length).toBeGreaterThan(1);
    for (const path of loaded) expect(path.startsWith(toolbox.root)).toBe(true);
  });

  test('links stay links, absolute ones inside the toolbox', async () => {
    const toolbox = await open();
    expect(await readlink(join(toolbox.root, 'usr/bin/link'))).toBe('dpkg-deb');
    expect(await readlink(join(toolbox.root, 'usr/sbin/absolute'))).toBe('../../usr/bin/dpkg-deb');
    await run([...toolbox.command('absolute'), '--version']);
  });

  test('are unpacked once for the same packages, in whatever order', async () => {
    const one = await open();
    const before = (await stat(one.root)).ctimeMs;
    const two = await openToolbox([...packages].reverse(), nowhere);
    expect(two.id).toBe(one.id);
    expect((await stat(two.root)).ctimeMs).toBe(before);
  });

  test('two at once are both right', async () => {
    await rm(join(cacheRoot(), 'tools'), { recursive: true, force: true });
    const [one, two] = await Promise.all([open(), open()]);
    expect(one.root).toBe(two.root);
    await run([...two.command('dpkg-deb'), '--version']);
  });

  test('what no package holds is an error', async () => {
    const toolbox = await open();
    expect(() => toolbox.command('mkfs.erofs')).toThrow(
      expect.objectContaining({ code: 'tools.missing' }) as Error,
    );
    expect(() => toolbox.file('/usr/lib/nothing')).toThrow(
      expect.objectContaining({ code: 'tools.missing' }) as Error,
    );
    expect(toolbox.file('/usr/bin/dpkg-deb')).toBe(join(toolbox.root, 'usr/bin/dpkg-deb'));
  });

  test.runIf(process.getuid?.() === 0)('an ordinary user can use them', async () => {
    const toolbox = await open();
    for (let path = toolbox.root; path !== tmpdir() && path !== '/'; path = dirname(path))
      await chmod(path, 0o755);
    await run([
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      ...toolbox.command('dpkg-deb'),
      '--version',
    ]);
    expect(existsSync(toolbox.root)).toBe(true);
  });
});
