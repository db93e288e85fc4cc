import { mkdtemp, rm, writeFile, readFile, lstat, stat, readlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeInitrd } from '../../../builder/initrd/initrd.ts';
import { run } from '../../../builder/process/run.ts';
import type { TreeEntry } from '../../../builder/tree/entry.ts';
import { textFile } from '../../../builder/tree/skeleton.ts';

const owner = { uid: 0, gid: 0, component: 'initrd' };
const link = (path: string, target: string): TreeEntry => ({
  ...owner,
  type: 'symlink',
  path,
  target,
  mode: 0o777,
});
const hardlink = (path: string, target: string): TreeEntry => ({
  ...owner,
  type: 'hardlink',
  path,
  target,
  mode: 0o755,
});

describe('the initrd', () => {
  const files: readonly TreeEntry[] = [
    textFile('/init', '#!/usr/bin/busybox sh\n', 'initrd', 0o755),
    textFile('/usr/bin/busybox', 'program', 'initrd', 0o755),
    hardlink('/usr/bin/sh', '/usr/bin/busybox'),
    hardlink('/usr/bin/mount', '/usr/bin/busybox'),
    link('/bin', 'usr/bin'),
    { ...owner, type: 'directory', path: '/proc', mode: 0o555 },
  ];

  test('is what GNU cpio takes: names, modes, links, contents', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cpio-'));
    try {
      const archive = makeInitrd({ files });
      await run(['cpio', '--extract', '--quiet', '--make-directories'], { cwd: directory, input: archive });
      const listed = await run(['cpio', '--list', '--quiet'], { input: archive });
      expect(listed.stdout.toString().trim().split('\n')).toEqual([
        'init',
        'usr',
        'usr/bin',
        'usr/bin/busybox',
        'usr/bin/sh',
        'usr/bin/mount',
        'bin',
        'proc',
      ]);
      expect((await lstat(join(directory, 'init'))).mode & 0o7777).toBe(0o755);
      expect((await lstat(join(directory, 'proc'))).mode & 0o7777).toBe(0o555);
      expect(await readFile(join(directory, 'usr/bin/mount'), 'utf8')).toBe('program');
      expect((await stat(join(directory, 'usr/bin/sh'))).ino).toBe(
        (await stat(join(directory, 'usr/bin/busybox'))).ino,
      );
      expect(await readlink(join(directory, 'bin'))).toBe('usr/bin');
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('has the same bytes each time, and nothing of the clock', () => {
    const archive = Buffer.from(makeInitrd({ files }));
    expect(archive.equals(makeInitrd({ files }))).toBe(true);
    expect(archive.length % 512).toBe(0);
    // The eighth field of each header is the time.
    const headers = [...archive.toString('latin1').matchAll(/070701([0-9a-f]{104})/g)];
    expect(headers).toHaveLength(9);
    expect(headers.map((header) => header[1]?.slice(40, 48))).toEqual(Array(9).fill('00000000'));
  });

  test('takes a range of a file as content', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cpio-'));
    try {
      const path = join(directory, 'data.tar');
      await writeFile(path, 'beforeCONTENTafter');
      const source = { kind: 'path' as const, path, offset: 6, sizeBytes: 7, sha256: '' };
      const entry: TreeEntry = { ...owner, type: 'file', path: '/a', mode: 0o644, source };
      expect(Buffer.from(makeInitrd({ files: [entry] })).toString('latin1')).toContain('CONTENT');
      const beyond: TreeEntry = { ...entry, source: { ...source, sizeBytes: 70 } };
      expect(() => makeInitrd({ files: [beyond] })).toThrow(/ends before/);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });

  test('a hard link to nothing, and a path that is there twice, are refused', () => {
    expect(() => makeInitrd({ files: [hardlink('/a', '/b')] })).toThrow(/hard link to \/b/);
    expect(() => makeInitrd({ files: [textFile('/a', '', 'x'), textFile('/a', '', 'x')] })).toThrow(/twice/);
  });
});
