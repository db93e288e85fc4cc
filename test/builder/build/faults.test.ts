/** Builds that are interrupted, run at once, lack network, a package or room: what stands afterwards is right. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { buildTestImage } from '../../boot/image.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const scratch = scratchDirectory();
const cache = process.env['SLIPWAY_CACHE'] ?? join(process.env['HOME'] ?? '/root', '.cache/slipway');
let keys = '';
let place = '';

/** A copy of the definitions, whose lock is up to date, and a full cache. */
beforeAll(async () => {
  await buildTestImage('images/minimal.yaml');
  keys = await testKeys();
  place = join(scratch, 'definitions');
  mkdirSync(place);
  for (const folder of ['images', 'system-containers'])
    cpSync(folder, join(place, folder), { recursive: true });
});

function command(output: string, ...more: string[]): string[] {
  const image = join(place, 'images/minimal.yaml');
  return [
    process.execPath,
    resolve('dist/slipway.mjs'),
    ...['build', image, '--locked', '--keys', keys, '--output', join(scratch, output)],
    ...more,
  ];
}

async function build(output: string, environment: Record<string, string> = {}): Promise<string> {
  await run(command(output), { environment: { ...environment } });
  return readFileSync(join(scratch, output, 'manifest.json'), 'utf8');
}

function finalNames(output: string): string[] {
  return existsSync(join(scratch, output))
    ? readdirSync(join(scratch, output)).filter((name) => !name.startsWith('.'))
    : [];
}

test('killed at many moments: no half-written artifact under a final name, and the next build is right', async () => {
  const expected = await build('whole');
  const { artifacts } = JSON.parse(expected) as { artifacts: { name: string; sha256: string }[] };
  const digests = new Map(artifacts.map(({ name, sha256 }) => [name, sha256]));
  for (const delayMs of [250, 700, 1200, 1800, 2500]) {
    const [program = '', ...args] = command('killed');
    const child = spawn(program, args, { stdio: 'ignore' });
    // Where the machine is fast, it ends before it is killed.
    const closed = new Promise((done) => child.once('close', done));
    await new Promise((done) => setTimeout(done, delayMs));
    child.kill('SIGKILL');
    await closed;
    for (const name of finalNames('killed')) {
      const digest = digests.get(name);
      if (digest === undefined) continue;
      const found = createHash('sha256')
        .update(readFileSync(join(scratch, 'killed', name)))
        .digest('hex');
      expect(found, `${name} after ${delayMs} ms`).toBe(digest);
    }
  }
  expect(await build('killed')).toBe(expected);
  expect(finalNames('killed')).toEqual(finalNames('whole'));
});

test('two builds at once in one cache and one output are both right', async () => {
  const [one, two] = await Promise.all([build('same'), build('same')]);
  expect(one).toBe(two);
  const fresh = { SLIPWAY_CACHE: join(scratch, 'cache') };
  mkdirSync(fresh.SLIPWAY_CACHE);
  cpSync(join(cache, 'objects'), join(fresh.SLIPWAY_CACHE, 'objects'), { recursive: true });
  const [three, four] = await Promise.all([build('first', fresh), build('second', fresh)]);
  expect(three).toBe(one);
  expect(four).toBe(one);
});

test('nothing changed: nothing is written; a touched artifact is made anew', async () => {
  const before = await build('again');
  const { stdout } = await run(command('again', '--json'));
  expect(JSON.parse(stdout.toString('utf8'))).toMatchObject({ unchanged: true });
  const uki = join(scratch, 'again', 'minimal_1.0.0.efi');
  writeFileSync(uki, 'damaged');
  expect(await build('again')).toBe(before);
  expect(readFileSync(uki).length).toBeGreaterThan(1_000_000);
});

test('without network a full cache builds, and an empty one says what is missing', async () => {
  const offline = ['unshare', '--net', '--'];
  await run([...offline, ...command('offline')]);
  const empty = { SLIPWAY_CACHE: join(scratch, 'empty-cache') };
  await expect(run([...offline, ...command('offline-empty')], { environment: empty })).rejects.toThrow(
    /mirror|network|fetch/i,
  );
  expect(finalNames('offline-empty')).toEqual([]);
});

test('a full disk is told as one, and leaves nothing under a final name', async () => {
  const small = join(scratch, 'small');
  mkdirSync(small);
  await run(['mount', '-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', small]);
  mounted.push(small);
  await expect(run(command('small/out'))).rejects.toThrow(/disk is full|no space/i);
  expect(finalNames('small/out').filter((name) => name.endsWith('.raw'))).toEqual([]);
});

const mounted: string[] = [];
afterAll(async () => {
  for (const path of mounted) await run(['umount', path]);
});

test('a package that does not exist is named, with the place where it is asked for', async () => {
  const image = join(place, 'images/none.yaml');
  writeFileSync(image, 'extends: minimal.yaml\nname: none\nhost:\n  packages: [no-such-package-at-all]\n');
  const argv = [process.execPath, resolve('dist/slipway.mjs'), 'build', image, '--keys', keys];
  await expect(run([...argv, '--output', join(scratch, 'none')])).rejects.toThrow(/no-such-package-at-all/);
});
