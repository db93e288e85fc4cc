/** What the switch relies on outside its own code. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readLock } from '../../../../builder/lock/lock-file.ts';
import { compareVersions } from '../../../../spec/version.ts';

const locks = readdirSync('images').filter((name) => name.endsWith('.lock'));

test.each(locks)(
  'failure 17: %s has a boot loader that counts tries, and was seen doing so',
  async (name) => {
    const lock = await readLock(join('images', name));
    const version =
      [...(lock?.tools ?? []), ...(lock?.packages ?? [])].find((entry) => entry.name === 'systemd-boot-efi')
        ?.version ?? '0';
    // Below, it stops at a UKI that cannot be loaded (decisions.md 1); test/boot/loader.test.ts boots this very one.
    expect(compareVersions(version, '262'), version).toBeGreaterThanOrEqual(0);
  },
);

test('failure 24: nothing on the machine starts a kernel but the firmware', () => {
  const files = ['host', 'updater/device']
    .flatMap((part) =>
      readdirSync(part, { recursive: true, encoding: 'utf8' }).map((name) => join(part, name)),
    )
    .filter((path) => statSync(path).isFile());
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter((path) => /\bkexec\b/.test(readFileSync(path, 'utf8')))).toEqual([]);
});
