import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskGuard } from '../../../../../host/provision/services/image/disk.ts';
import { applyLayer } from '../../../../../host/provision/services/image/layer.ts';
import { createNodeSystem } from '../../../../../system/node.ts';
import { tar, type TarMember } from '../../../../builder/oci/image-files.ts';

const system = createNodeSystem();
const isRoot = process.getuid?.() === 0;

/** Layers one over the other; the directory that has them. */
async function unpack(...layers: readonly (readonly TarMember[])[]): Promise<string> {
  return unpackArchives(await Promise.all(layers.map(tar)));
}

async function unpackArchives(archives: readonly Buffer[], entries = 1000): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-layer-'));
  const root = join(directory, 'root');
  mkdirSync(root);
  const limits = { entries };
  for (const bytes of archives) {
    const path = join(directory, 'layer.tar');
    writeFileSync(path, bytes);
    const guard = diskGuard(system, directory);
    const range = { path, offset: 0, sizeBytes: bytes.length };
    await applyLayer(system, range, root, { guard, limits, umask: process.umask() });
  }
  return root;
}

/** Everything in it: `path mode`, `path -> target`, `path = text`. */
function listing(root: string, at = ''): readonly string[] {
  return readdirSync(join(root, at))
    .sort()
    .flatMap((name) => {
      const path = `${at}/${name}`;
      const status = lstatSync(join(root, path));
      if (status.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(root, path))}`];
      if (status.isDirectory()) return [`${path}/`, ...listing(root, path)];
      return [`${path} = ${readFileSync(join(root, path), 'utf8')}`];
    });
}

const dir = (name: string, more: Partial<TarMember> = {}): TarMember => ({ name: `${name}/`, ...more });
const file = (name: string, text = 'x', more: Partial<TarMember> = {}): TarMember => ({
  name,
  text,
  ...more,
});
const link = (name: string, linkname: string): TarMember => ({ name, linkname });
const hardlink = (name: string, linkname: string): TarMember => ({ name, linkname, type: 'link' });

describe('layers one over the other', () => {
  test('additions, replacements, whiteouts, opaque directories', async () => {
    const root = await unpack(
      [dir('a'), file('a/old'), file('a/kept'), dir('b'), file('b/one'), file('c'), dir('d'), file('d/e')],
      [
        // An opaque directory hides the lower layer's alone, also when its mark comes last.
        dir('b'),
        file('b/two'),
        file('b/.wh..wh..opq', ''),
        file('a/.wh.old', ''),
        file('c', 'new'),
        file('.wh.d', ''),
        file('a/.wh.nothing', ''),
      ],
    );
    expect(listing(root)).toEqual(['/a/', '/a/kept = x', '/b/', '/b/two = x', '/c = new']);
  });
  test('a file in the place of a directory, a directory in that of a link', async () => {
    const root = await unpack(
      [dir('a/b'), file('a/b/c'), link('l', 'a')],
      [file('a', 'file'), dir('l'), file('l/x')],
    );
    expect(listing(root)).toEqual(['/a = file', '/l/', '/l/x = x']);
  });
  test('a later layer goes through a link of an earlier one, within the image', async () => {
    const root = await unpack(
      [dir('usr/bin'), link('bin', 'usr/bin'), link('abs', '/usr')],
      [file('bin/sh'), file('abs/lib/x')],
    );
    expect(listing(root)).toEqual([
      '/abs -> /usr',
      '/bin -> usr/bin',
      '/usr/',
      '/usr/bin/',
      '/usr/bin/sh = x',
      '/usr/lib/',
      '/usr/lib/x = x',
    ]);
  });
  test('hard links are one file, however they are told', async () => {
    const root = await unpack(
      [file('a', 'text'), hardlink('b', 'a'), hardlink('sub/c', 'b'), file('d')],
      [hardlink('e', 'a')],
    );
    const inode = (name: string): number => lstatSync(join(root, name)).ino;
    expect(new Set(['a', 'b', 'sub/c', 'e'].map(inode)).size).toBe(1);
    expect(inode('d')).not.toBe(inode('a'));
  });
  test('a member that comes twice: the later one', async () => {
    const root = await unpack([file('a', '1'), file('a', '2'), hardlink('b', 'a'), file('b', '3')]);
    expect(listing(root)).toEqual(['/a = 2', '/b = 3']);
  });
  test('long names, of pax and of GNU', async () => {
    const long = `${'d'.repeat(120)}/${'f'.repeat(150)}`;
    expect(listing(await unpack([file(long), link('l', long)]))).toContain(`/${long} = x`);
  });
  test('directories that are only parents', async () => {
    expect(listing(await unpack([file('a/b/c')]))).toEqual(['/a/', '/a/b/', '/a/b/c = x']);
  });
});

test.skipIf(!isRoot)('owners and modes, set-id bits among them', async () => {
  const root = await unpack([
    dir('home', { mode: 0o700, uid: 1000, gid: 100 }),
    file('su', 'x', { mode: 0o4755 }),
    file('mine', 'x', { mode: 0o2755, uid: 33, gid: 34 }),
    file('open', 'x', { mode: 0o666 }),
    dir('tmp', { mode: 0o1777 }),
  ]);
  const of = (name: string): string => {
    const { mode, uid, gid } = lstatSync(join(root, name));
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  };
  expect(['home', 'su', 'mine', 'open', 'tmp'].map(of)).toEqual([
    '700 1000:100',
    '4755 0:0',
    '2755 33:34',
    '666 0:0',
    '1777 0:0',
  ]);
});

describe('hostile layers', () => {
  test.each<[string, readonly (readonly TarMember[])[]]>([
    ['a name that climbs', [[file('../evil')]]],
    ['a name that climbs in the middle', [[file('a/../../evil')]]],
    ['a device', [[{ name: 'sda', type: 'block-device', devmajor: 8, devminor: 0 }]]],
    ['a pipe', [[{ name: 'p', type: 'fifo' }]]],
    ['a hard link that climbs', [[hardlink('a', '../../etc/passwd')]]],
    ['a hard link to nothing', [[hardlink('a', 'b')]]],
    ['a hard link to a directory', [[dir('b'), hardlink('a', 'b')]]],
    ['a file as a parent', [[file('a'), file('a/b')]]],
    ['a link to nothing', [[{ name: 'a', type: 'symlink', linkname: '' }]]],
    ['links in circles', [[link('a', 'b'), link('b', 'a'), file('a/x')]]],
  ])('%s is refused', async (_what, layers) => {
    await expect(unpack(...layers)).rejects.toMatchObject({ code: 'oci.hostile-layer' });
  });
  test.each([
    ['absolute', '/etc'],
    ['climbing', '../../../../../../../etc'],
  ])('a link out of the image (%s) leads nowhere else than into it', async (_what, target) => {
    const root = await unpack([link('out', target), file('out/slipway-evil', 'x')]);
    expect(listing(root)).toContain('/etc/slipway-evil = x');
    expect(() => lstatSync('/etc/slipway-evil')).toThrow();
  });
  test('whiteouts do not reach out either', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'slipway-outside-'));
    writeFileSync(join(outside, 'precious'), 'x');
    await unpack(
      [link('out', outside)],
      [file('out/.wh.precious', ''), file('out/.wh..wh..opq', ''), file('.wh..', ''), file('.wh...', '')],
    );
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('x');
  });
  test('devices below /dev are left out', async () => {
    expect(listing(await unpack([dir('dev'), { name: 'dev/null', type: 'character-device' }]))).toEqual([
      '/dev/',
    ]);
  });
  test('too many entries', async () => {
    const layer = await tar([file('a'), file('b'), file('c')]);
    await expect(unpackArchives([layer], 2)).rejects.toMatchObject({ code: 'oci.hostile-layer' });
  });
  test('an archive that ends early', async () => {
    const layer = await tar([file('a', 'x'.repeat(5000))]);
    await expect(unpackArchives([layer.subarray(0, 2000)])).rejects.toMatchObject({ code: 'oci.invalid' });
  });
});
