/** The power goes while a service's image is fetched, unpacked and given its name. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { System } from '../../../../../system/system.ts';
import { dockerArchive, testImage } from '../../../../builder/oci/image-files.ts';
import { scratch, type Scratch } from '../scratch.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const isRoot = process.getuid?.() === 0;
// An archive lies below /var.
mkdirSync('/var/tmp', { recursive: true });
const VAR = mkdtempSync('/var/tmp/slipway-power-');
afterAll(() => rmSync(VAR, { recursive: true }));

const YAML = `web:
  image: ${VAR}/image.tar
  network_mode: host
  x-slipway:
    files: [{ path: /etc/app.conf, content: "hello\\n" }]`;

/** The door of a machine whose power goes after so many changes, in the midst of what is written. */
function failing(system: System, after: number): { readonly door: System; readonly went: () => boolean } {
  let left = after;
  const change = <Result>(action: () => Result): Result => {
    if (left <= 0) throw new Error('the power is gone');
    left -= 1;
    return action();
  };
  const door: System = {
    ...system,
    writeText: (...words) => change(() => system.writeText(...words)),
    makeDirectory: (...words) => change(() => system.makeDirectory(...words)),
    makeLink: (...words) => change(() => system.makeLink(...words)),
    remove: (path) => change(() => system.remove(path)),
    rename: (from, to) => change(() => system.rename(from, to)),
    open: (path, options) =>
      options.access === 'read' ? system.open(path, options) : change(() => system.open(path, options)),
    writeAt: (fd, offset, bytes) =>
      change(() => {
        if (left === 0) system.writeAt(fd, offset, bytes.subarray(0, bytes.length / 2));
        return left > 0 && system.writeAt(fd, offset, bytes);
      }),
    write: (fd, bytes) => change(() => system.write(fd, bytes)),
    // A program that cannot be started is told by its number.
    spawn: (argv, options) => (left <= 0 ? -1 : change(() => system.spawn(argv, options))),
  };
  return { door, went: () => left <= 0 };
}

describe.skipIf(!isRoot)('the power goes in the midst of an image', () => {
  test('whenever it does, nothing half of it is believed, and the next run makes it whole', async () => {
    const content = 'x'.repeat(300_000);
    const image = await testImage(
      [
        [
          { name: 'usr/bin/' },
          { name: 'usr/bin/webd', text: `#!web ${content}`, mode: 0o755 },
          { name: 'etc/' },
          { name: 'etc/hosts', text: '' },
        ],
        [{ name: 'etc/more', text: 'm' }],
      ],
      { config: { Entrypoint: ['/usr/bin/webd'] } },
    );
    writeFileSync(join(VAR, 'image.tar'), await dockerArchive(image));
    let cuts = 0;
    for (let after = 0; ; after += FULL ? 1 : 5) {
      const s = scratch();
      const { door, went } = failing(s.system, after);
      await s.prepare(YAML, {}, door).catch(() => undefined);
      expect(
        wholeImages(s).every((root) => isWhole(root, content)),
        `after ${after} changes`,
      ).toBe(true);
      const { services, outcomes } = await s.prepare(YAML);
      expect(outcomes.map(({ state }) => state)).toEqual(['applied']);
      expect(services).toHaveLength(1);
      expect(wholeImages(s).map((root) => isWhole(root, content))).toEqual([true]);
      expect(readdirSync(s.paths.images).filter((name) => name === '.work')).toEqual([]);
      rmSync(s.directory, { recursive: true });
      if (!went()) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(FULL ? 20 : 4);
  }, 240_000);
});

/** Those that have the name by which they are believed. */
function wholeImages(s: Scratch): readonly string[] {
  const names = readDirectory(s.paths.images).filter((name) => /^[0-9a-f]{64}$/.test(name));
  return names.map((name) => join(s.paths.images, name));
}

function readDirectory(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function isWhole(image: string, content: string): boolean {
  return (
    readFileSync(join(image, 'rootfs/usr/bin/webd'), 'utf8') === `#!web ${content}` &&
    readFileSync(join(image, 'rootfs/etc/more'), 'utf8') === 'm' &&
    readFileSync(join(image, 'image.json'), 'utf8').endsWith('}\n')
  );
}
