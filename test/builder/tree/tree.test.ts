import { describe, expect, test } from 'vitest';
import { join } from 'node:path';
import { run } from '../../../builder/process/run.ts';
import { busyboxLinks } from '../../../builder/tree/busybox.ts';
import { deduplicate } from '../../../builder/tree/deduplicate.ts';
import type { TreeEntry } from '../../../builder/tree/entry.ts';
import { mergeLayers, placeUnder, treeDigest } from '../../../builder/tree/root.ts';
import { globToRegExp, isSelected } from '../../../builder/tree/selection.ts';
import { skeleton, textFile } from '../../../builder/tree/skeleton.ts';
import { writeTar } from '../../../builder/tree/tar.ts';
import { scratchDirectory } from '../scratch.ts';

const scratch = scratchDirectory();

describe('selection', () => {
  test.each([
    ['/usr/bin/*', '/usr/bin/sshd', true],
    ['/usr/bin/*', '/usr/bin/a/b', false],
    ['/usr/**', '/usr/bin/a/b', true],
    ['/usr/lib/**/*.so', '/usr/lib/x86_64-linux-gnu/deep/x.so', true],
    ['/usr/lib/**/*.so', '/usr/lib/x.so', true],
    ['/usr/lib/*.so', '/usr/lib/x.so.1', false],
    ['/usr/share/{man,doc}/**', '/usr/share/doc/x/copyright', true],
    ['/usr/share/{man,doc}/**', '/usr/share/dock', false],
    ['/a.b', '/aXb', false],
  ])('%s on %s: %s', (glob, path, expected) => {
    expect(globToRegExp(glob).test(path)).toBe(expected);
  });

  test('a package taken whole leaves documentation and unit files behind', () => {
    const wanted = isSelected({ name: 'chrony' });
    expect(
      [
        '/usr/sbin/chronyd',
        '/usr/share/doc/chrony/copyright',
        '/usr/lib/systemd/system/chrony.service',
        '/etc/init.d/chrony',
        '/etc/chrony/chrony.conf',
        '/var/lib/chrony',
      ].filter(wanted),
    ).toEqual(['/usr/sbin/chronyd', '/etc/chrony/chrony.conf']);
  });
});

describe('layers', () => {
  test('the later layer wins, and parents come before what they hold', () => {
    const tree = mergeLayers([textFile('/etc/x', 'one', 'a')], [textFile('/etc/x', 'two', 'b')]);
    expect(tree.map(({ path, component }) => [path, component])).toEqual([
      ['/etc', 'b'],
      ['/etc/x', 'b'],
    ]);
  });

  test('a file under something that is no directory is refused, with both owners', () => {
    const layers = [textFile('/etc/x', 'file', 'host'), textFile('/etc/x/y', 'below', 'service:a')];
    expect(() => mergeLayers(layers)).toThrow(
      /\/etc\/x\/y \(service:a\) lies under \/etc\/x, which is a file \(host\)/,
    );
  });

  test('a directory stands right before what it holds, whatever its neighbours are called', () => {
    const paths = mergeLayers([
      textFile('/usr/lib/b', '', 'a'),
      textFile('/usr/lib-x', '', 'a'),
      textFile('/usr/lib/a', '', 'a'),
    ]).map(({ path }) => path);
    expect(paths).toEqual(['/usr', '/usr/lib', '/usr/lib/a', '/usr/lib/b', '/usr/lib-x']);
  });

  test('the digest depends on every field that reaches the machine', () => {
    const base = textFile('/a', 'x', 'c');
    const variants: TreeEntry[] = [
      base,
      { ...base, mode: 0o600 },
      { ...base, uid: 1 },
      { ...base, gid: 1 },
      { ...base, path: '/b' },
      textFile('/a', 'y', 'c'),
    ];
    expect(new Set(variants.map((entry) => treeDigest([entry]))).size).toBe(variants.length);
    expect(treeDigest([{ ...base, component: 'other' }])).toBe(treeDigest([base]));
  });
});

describe('deduplicate', () => {
  test('same bytes, mode and owner become hard links; empty files and other modes do not', () => {
    const entries = deduplicate([
      textFile('/a', 'same', 'host'),
      ...placeUnder('/c', [textFile('/a', 'same', 'service:s')]),
      textFile('/d', 'same', 'host', 0o600),
      textFile('/e', '', 'host'),
      textFile('/f', '', 'host'),
    ]);
    expect(entries.map((entry) => [entry.path, entry.type])).toEqual([
      ['/a', 'file'],
      ['/c/a', 'hardlink'],
      ['/d', 'file'],
      ['/e', 'file'],
      ['/f', 'file'],
    ]);
    expect(entries[1]).toMatchObject({ target: '/a', component: 'service:s' });
  });
});

test('busybox links never replace a real program', () => {
  const links = busyboxLinks(new Set(['/usr/bin/wget']), 'host');
  expect(links.find(({ path }) => path === '/usr/bin/wget')).toBeUndefined();
  expect(links.find(({ path }) => path === '/usr/bin/sh')).toMatchObject({
    type: 'symlink',
    target: 'busybox',
  });
  expect(links.map(({ path }) => path)).not.toContain('/usr/bin/login');
});

test('tar reads what we write: types, modes, owners, links, long names, times', async () => {
  const long = `/usr/share/${'directory/'.repeat(20)}${'n'.repeat(120)}`;
  const entries = deduplicate(
    mergeLayers(skeleton('host'), [
      textFile('/etc/one', 'same', 'host', 0o640),
      textFile('/etc/two', 'same', 'host', 0o640),
      textFile(long, 'deep', 'host'),
      { ...textFile('/etc/owned', 'x', 'host'), uid: 101, gid: 65534 },
    ]),
  );
  const path = join(scratch, 'tree.tar');
  await writeTar(entries, path, 1_700_000_000);
  const { stdout } = await run(['tar', '--numeric-owner', '--full-time', '-tvf', path]);
  const lines = stdout.toString('utf8').trim().split('\n');
  expect(lines).toHaveLength(entries.length);
  expect(lines.every((line) => line.includes('2023-11-14 22:13:20'))).toBe(true);
  const line = (end: string): string | undefined => lines.find((candidate) => candidate.endsWith(end));
  expect(line(' etc/one')).toMatch(/^-rw-r----- 0\/0 +4 /);
  expect(line(' etc/two link to etc/one')).toBeDefined();
  expect(line(' etc/owned')).toMatch(/^-rw-r--r-- 101\/65534 /);
  expect(line(' tmp/')).toMatch(/^drwxrwxrwt /);
  expect(line(' bin -> usr/bin')).toBeDefined();
  expect(line(long.slice(1))).toBeDefined();
});
