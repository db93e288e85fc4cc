/** docs/install.md: its commands as they stand, one after the other, in a folder of their own. */
import { chmod, cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../builder/process/run.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { buildTestImage, KEYS } from '../boot/image.ts';
import { lockedToolbox } from '../builder/locked-toolbox.ts';
import { scratchDirectory } from '../builder/scratch.ts';
import { filledIn, readBlocks } from './blocks.ts';

const PAGE = 'docs/install.md';
const blocks = await readBlocks(PAGE);
const here = blocks.filter(({ language, how }) => language === 'sh' && how === 'workstation');
/** Deflate in JavaScript takes its seconds: these are for `npm run test:full`. */
const SLOW = /--format (ova|vmdk|gce)\b/;
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const directory = scratchDirectory();
const work = join(directory, 'work');
const programs = join(directory, 'programs');

/** What a page cannot know: names of disks, of a registry; that a file need not be filled with zeros; that images/metal.yaml would take a build of its own. */
const NAMES: Readonly<Record<string, string>> = {
  '/dev/disk/by-id/THE-DISK': join(directory, 'the-disk'),
  '/dev/disk/by-id/THE-STICK': join(directory, 'the-stick'),
  'conv=fsync': 'conv=fsync,sparse',
  'docker://REGISTRY/minimal-root:1.0.0': `dir:${join(directory, 'pushed')}`,
  'build/metal': 'build/minimal',
  metal_1: 'minimal_1',
};

beforeAll(async () => {
  // As on the workstation of somebody who has built before: keys, and everything that the image is made of in the cache.
  await buildTestImage('images/minimal.yaml');
  await mkdir(work);
  await mkdir(programs);
  await symlink(KEYS, join(work, 'keys'));
  for (const folder of ['images', 'system-containers'])
    await cp(folder, join(work, folder), { recursive: true });
  await symlink(resolve('bin/slipway'), join(programs, 'slipway'));
  await wrapper('qemu-img', (await labToolbox()).command('qemu-img'));
  await wrapper('zstd', (await lockedToolbox()).command('zstd'));
  for (const name of ['the-disk', 'the-stick']) await writeFile(join(directory, name), '');
});

describe(PAGE, () => {
  for (const { heading, line, text } of here)
    test.skipIf(SLOW.test(text) && !FULL)(`${heading} (line ${line})`, async () => {
      const names = Object.fromEntries(Object.entries(NAMES).filter(([name]) => text.includes(name)));
      await run(['sh', '-eu', '-c', filledIn(text, names)], {
        cwd: work,
        environment: { PATH: `${programs}:${process.env['PATH'] ?? ''}` },
      });
    });

  test('what the commands made is what the page says', async () => {
    const at = (name: string): string => join(work, 'build/minimal', name);
    const qemuImg = (...words: readonly string[]): ReturnType<typeof run> =>
      run([join(programs, 'qemu-img'), ...words]);
    for (const [name, made] of [
      ['the-disk', at('minimal_1.0.0.raw')],
      ['the-stick', at('minimal_1.0.0.iso')],
    ] as const)
      await qemuImg('compare', '-f', 'raw', '-F', 'raw', join(directory, name), made);
    const { stdout } = await qemuImg('info', '--output=json', at('minimal_1.0.0.qcow2'));
    expect(JSON.parse(stdout.toString('utf8'))).toMatchObject({ 'virtual-size': 20 * 1024 ** 3 });
    for (const name of ['upload/minimal_1.0.0.vhd', 'upload/minimal_1.0.0.raw.zst'])
      expect((await stat(join(work, name))).size).toBeGreaterThan(1024 ** 2);
    expect(await readFile(join(directory, 'pushed/version'), 'utf8')).toContain('Directory Transport');
  });

  test('a block that nobody runs says so to whoever reads the page', () => {
    const silent = blocks
      .filter(({ how, before }) => how === 'untested' && !/not run by our tests/i.test(before))
      .map(({ line }) => line);
    expect(silent).toEqual([]);
  });
});

/** The locked tool, under its own name. */
async function wrapper(name: string, argv: readonly string[]): Promise<void> {
  const path = join(programs, name);
  await writeFile(path, `#!/bin/sh\nexec ${argv.map((word) => `'${word}'`).join(' ')} "$@"\n`);
  await chmod(path, 0o755);
}
