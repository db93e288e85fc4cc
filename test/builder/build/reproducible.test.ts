/** The same definition, lock and keys give the same bytes, wherever, whenever and by whomever they are built. */
import { cpSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { buildTestImage } from '../../boot/image.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const scratch = scratchDirectory();
const slipway = resolve('bin/slipway');

/** Brings the lock up to date where the mirror has dropped a package, and fills the cache. */
beforeAll(async () => {
  await buildTestImage('images/minimal.yaml');
}, 300_000);

test('two builds in other places, time zones, umasks and years are identical byte for byte', async () => {
  const keys = await testKeys();
  const first = join(scratch, 'one');
  const second = join(scratch, 'a much longer path', 'two');
  for (const place of [first, second]) {
    mkdirSync(place, { recursive: true });
    for (const folder of ['images', 'system-containers'])
      cpSync(folder, join(place, folder), { recursive: true });
  }
  await build(first, ['env', 'TZ=Pacific/Kiritimati', 'LANG=C'], '022', keys);
  await build(second, ['env', 'TZ=America/Lima', 'LANG=tr_TR.UTF-8', 'faketime', '-f', '+400d'], '077', keys);
  const names = readdirSync(join(first, 'out')).filter((name) => !name.startsWith('.'));
  expect(names).toHaveLength(7);
  expect(readdirSync(join(second, 'out')).filter((name) => !name.startsWith('.'))).toEqual(names);
  for (const name of names) {
    const offset = await firstDifference(join(first, 'out', name), join(second, 'out', name));
    expect(offset, `${name} differs at offset ${offset}`).toBeUndefined();
  }
}, 300_000);

test('the build runs as an ordinary user without capabilities, and starts nothing that it packs', async () => {
  const place = join(scratch, 'unprivileged');
  mkdirSync(place);
  for (const folder of ['images', 'system-containers'])
    cpSync(folder, join(place, folder), { recursive: true });
  cpSync(await testKeys(), join(place, 'keys'), { recursive: true });
  const cache = process.env['SLIPWAY_CACHE'] ?? join(process.env['HOME'] ?? '/root', '.cache/slipway');
  cpSync(join(cache, 'objects'), join(place, 'cache/objects'), { recursive: true });
  await run(['chown', '-R', '65534:65534', place]);
  await run(['chmod', '0755', scratch]);
  const trace = join(place, 'exec.log');
  const image = join(place, 'images/minimal.yaml');
  // Slipway itself must be readable by the user: a copy of what it needs.
  for (const name of ['dist', 'bin', 'host', 'package.json', 'scripts'])
    cpSync(name, join(place, 'slipway', name), { recursive: true });
  await run(['chmod', '-R', 'a+rX', join(place, 'slipway')]);
  await run(
    [
      ...[
        'setpriv',
        '--reuid=65534',
        '--regid=65534',
        '--clear-groups',
        '--bounding-set=-all',
        '--inh-caps=-all',
      ],
      ...['--no-new-privs', 'strace', '-f', '-qq', '-e', 'trace=execve', '-s', '4096', '-o', trace],
      ...[process.execPath, join(place, 'slipway/dist/slipway.mjs')],
      ...['build', image, '--locked', '--keys', join(place, 'keys'), '--output', join(place, 'out')],
    ],
    { environment: { HOME: place, SLIPWAY_CACHE: join(place, 'cache') }, timeoutMs: 280_000 },
  );
  expect(readdirSync(join(place, 'out'))).toContain('manifest.json');

  const started = readFileSync(trace, 'utf8').split('\n').flatMap(startedProgram);
  const fromCache = started.filter((path) => path.startsWith(join(place, 'cache')));
  expect(fromCache.length).toBeGreaterThan(3);
  // Tools have a tree of their own; nothing is ever run from an unpacked package.
  expect(fromCache.filter((path) => !path.startsWith(join(place, 'cache/tools/')))).toEqual([]);
}, 300_000);

/** What a line of strace started; behind a loader's options, the program that it loads. */
function startedProgram(line: string): string[] {
  if (!line.endsWith(' = 0')) return [];
  const [path = '', , ...args] = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? '');
  const library = args.indexOf('--library-path');
  return [/\/ld-linux[^/]*$/.test(path) ? (args[library + 2] ?? path) : path];
}

async function build(place: string, prefix: string[], umask: string, keys: string): Promise<void> {
  const command = [...prefix, process.execPath, resolve('dist/slipway.mjs')];
  const args = ['build', join(place, 'images/minimal.yaml'), '--locked', '--keys', keys];
  await run(
    ['sh', '-c', 'umask "$0" && exec "$@"', umask, ...command, ...args, '--output', join(place, 'out')],
    { cwd: dirname(slipway), timeoutMs: 280_000 },
  );
}

/** Offset of the first differing byte. */
async function firstDifference(left: string, right: string): Promise<number | undefined> {
  const [a, b] = await Promise.all([open(left, 'r'), open(right, 'r')]);
  try {
    const [one, two] = [Buffer.alloc(8 << 20), Buffer.alloc(8 << 20)];
    for (let offset = 0; ;) {
      const [x, y] = await Promise.all([
        a.read(one, 0, one.length, offset),
        b.read(two, 0, two.length, offset),
      ]);
      const length = Math.max(x.bytesRead, y.bytesRead);
      if (length === 0) return undefined;
      if (x.bytesRead !== y.bytesRead || one.compare(two, 0, length, 0, length) !== 0)
        return offset + one.subarray(0, length).findIndex((byte, index) => byte !== two[index]);
      offset += length;
    }
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}
