import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { removeSignatures, signPe } from '../../builder/authenticode/sign.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import { changeEsp, withDiskCopy } from './disk-edit.ts';
import { buildTestImage, testKeys } from './image.ts';
import { HEALTHY_LIMIT_MS, ssh, sshAccess, withMachine } from './machine.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
const LOADER = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';

/** A version that was good once and whose root is gone: nothing counts its boots any more (decisions.md 8). */
describe('a version that cannot open its root', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;

  beforeAll(async () => {
    source = await buildTestImage('images/minimal.yaml');
  }, LIMIT_MS);

  /** The good UKI as version 9.0.0, with the hash of a root that no slot holds; signed. */
  async function rotten(): Promise<Uint8Array> {
    const uki = Buffer.from(removeSignatures(await readFile(source.disk.replace(/\.raw$/, '.efi'))));
    const replace = (text: string, by: string): void => {
      const place = uki.indexOf(text);
      expect(place, text).toBeGreaterThan(0);
      uki.write(by, place, 'latin1');
    };
    replace('IMAGE_VERSION=1.0.0', 'IMAGE_VERSION=9.0.0');
    replace("IMAGE_VERSION='1.0.0'", "IMAGE_VERSION='9.0.0'");
    replace("VERITY_UUID='", "VERITY_UUID='000000000000");
    return signPe(uki, (await testKeys()).uki);
  }

  test('committed, asks for the other one, which comes up, says so, and leaves nothing behind that decides the next boot', () =>
    withDiskCopy(source.disk, async (disk) => {
      const name = basename(source.disk, '.raw').replace('1.0.0', '9.0.0');
      await changeEsp(disk, { [`EFI/Linux/${name}.efi`]: await rotten() });
      await withMachine({ name: 'fallback', disk }, async (machine) => {
        await machine.waitForConsole(/slipway: CANNOT BOOT minimal 9\.0\.0: no slot/, HEALTHY_LIMIT_MS);
        await machine.waitForConsole(/slipway: asking for minimal_1\.0\.0\.efi/, HEALTHY_LIMIT_MS);
        const { status } = await machine.waitForReport('healthy', 2 * HEALTHY_LIMIT_MS);
        expect(status.image.version).toBe('1.0.0');
        const access = await sshAccess(machine, source.user);
        expect((await ssh(access, 'slip shell cat /run/slipway/boot/fallback-from')).trim()).toBe('9.0.0');
        const efivars = '/sys/firmware/efi/efivars';
        const look = `mount -t efivarfs none ${efivars}; ls ${efivars}; tr -d "\\000" <${efivars}/LoaderEntryOneShot-${LOADER} || echo none`;
        const variables = await ssh(access, `slip shell sh -c '${look}'`);
        expect(variables).toContain(`LoaderDevicePartUUID-${LOADER}`);
        expect(variables).not.toContain('SlipwayFallback');
        // What is named for the next start is what runs now, by its own guard (updater/device/switch/guard.ts), and not the rotten one.
        expect(variables.trim().split('\n').at(-1)).toMatch(/minimal_1\.0\.0\.efi$|none$/);
      });
    }));

  test('while systemd-boot counts, a bad block of the root would end the boot', () =>
    withDiskCopy(source.disk, async (disk) => {
      const name = basename(source.disk, '.raw');
      const uki = await readFile(source.disk.replace(/\.raw$/, '.efi'));
      await changeEsp(disk, { [`EFI/Linux/${name}.efi`]: undefined, [`EFI/Linux/${name}+3.efi`]: uki });
      await withMachine({ name: 'trial', disk }, async (machine) => {
        await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
        const access = await sshAccess(machine, source.user);
        // By now it may have proven itself, and be no trial any more; how its root was opened stays.
        expect(await ssh(access, 'slip shell dmsetup table root')).toMatch(/panic_on_corruption/);
      });
    }));
});
