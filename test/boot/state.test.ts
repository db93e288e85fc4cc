import { open } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../builder/process/run.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import { partition, withDiskCopy } from './disk-edit.ts';
import { buildTestImage } from './image.ts';
import { HEALTHY_LIMIT_MS, slipStatus, ssh, sshAccess, withMachine } from './machine.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
const MIB = 1024 * 1024;

/** What can be wrong with the state partition and the partition table: the machine comes up, can be reached, and formats nothing. */
describe('the disk under a machine', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;

  beforeAll(async () => {
    source = await buildTestImage('images/minimal.yaml');
  }, LIMIT_MS);

  test('a state partition that is no file system stays as it is, until an operator gives it up', () =>
    withDiskCopy(source.disk, async (disk) => {
      const state = await partition(disk, 'slipway-state');
      const rubbish = Buffer.alloc(2 * MIB, 0xa5);
      await write(disk, rubbish, state.offset);
      await withMachine({ name: 'state-damaged', disk, overlay: `${disk}.qcow2` }, async (machine) => {
        const { status } = await machine.waitForReport('started', HEALTHY_LIMIT_MS);
        expect(status.problems.join()).toMatch(/state.*damaged/);
        const access = await until(() => sshAccess(machine, source.user));
        expect(await until(() => slipStatus(access))).toMatchObject({ slot: 'a' });
        const found = await ssh(
          access,
          "slip shell sh -c 'head -c 64 $(cat /run/slipway/boot/state-device) | xxd -p -c 64'",
        );
        expect(found.trim()).toBe('a5'.repeat(64));
        expect(await ssh(access, 'slip state show')).toMatch(/^\/var +tmpfs .*\nproblem +.*damaged/m);

        // Two words too few: nothing happens.
        await expect(ssh(access, 'slip state reset')).rejects.toThrow(/exit code 2/);
        const seen = machine.events.length;
        // The machine may be gone before the command's answer is here.
        await ssh(access, 'slip state reset --erase yes-erase-all-data').catch(() => undefined);
        await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
        const { status: after } = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
        expect(after.problems).toEqual([]);
        expect(machine.console()).toMatch(/slip state reset: admin \(uid 1000\) erases \/dev\/vda7/);
        const anew = await sshAccess(machine, source.user);
        expect(await ssh(anew, 'slip state show')).toMatch(/^\/var +ext4 rw,.*\nproblem +none/m);
        await expect(ssh(anew, 'slip state reset --erase yes-erase-all-data')).rejects.toThrow(/is in use/);
      });
    }));

  test('a state partition that is missing', () =>
    withDiskCopy(source.disk, async (disk) => {
      await run(['sfdisk', '--delete', disk, '7']);
      await withMachine({ name: 'state-missing', disk }, async (machine) => {
        const { status } = await machine.waitForReport('started', HEALTHY_LIMIT_MS);
        expect(status.problems.join()).toMatch(/no partition slipway-state/);
        const access = await until(() => sshAccess(machine, source.user));
        expect(await until(() => slipStatus(access))).toMatchObject({ slot: 'a' });
      });
    }));

  test('a second disk with the same labels, never booted: state comes from the disk that the firmware started', () =>
    withDiskCopy(source.disk, (disk) =>
      withDiskCopy(source.disk, async (other) => {
        // The first disk gets identities of its own; the second keeps those of the image.
        await withMachine(
          { name: 'second-disk-first-boot', disk, overlay: `${disk}.qcow2` },
          async (machine) => {
            await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
            const access = await sshAccess(machine, source.user);
            await ssh(access, 'slip poweroff').catch(() => undefined);
            await machine.exited;
          },
        );
        const options = {
          name: 'second-disk',
          disk,
          overlay: `${disk}.qcow2`,
          extraDisks: [{ path: other, format: 'raw' as const }],
        };
        await withMachine(options, async (machine) => {
          const { status } = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
          expect(status.problems).toEqual([]);
          const access = await sshAccess(machine, source.user);
          expect((await ssh(access, 'slip shell cat /run/slipway/boot/disk')).trim()).toBe('/dev/vda');
        });
      }),
    ));

  test('a torn primary partition table: the copy at the end is used', () =>
    withDiskCopy(source.disk, async (disk) => {
      await write(disk, Buffer.alloc(34 * 512), 512);
      await withMachine({ name: 'torn-table', disk }, async (machine) => {
        const { status } = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
        expect(status.problems).toEqual([]);
      });
    }));

  test('a larger disk: state grows on the first boot, and the disk becomes one of a kind; then state is full', () =>
    withDiskCopy(source.disk, async (disk) => {
      const shipped = await partition(disk, 'slipway-state');
      await run(['truncate', '-s', `+${512 * MIB}`, disk]);
      await withMachine({ name: 'state-growth', disk, overlay: `${disk}.qcow2` }, async (machine) => {
        await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
        const access = await sshAccess(machine, source.user);
        const sectors = await ssh(access, 'slip shell cat /sys/class/block/vda7/size');
        expect(Number(sectors) * 512).toBeGreaterThanOrEqual(shipped.sizeBytes + 512 * MIB);
        // RFC 9562, version 4: random. What the builder writes has version 8.
        expect(await ssh(access, 'slip shell cat /run/slipway/boot/disk-guid')).toMatch(/^.{14}4/);
        // Grown while it is in use, beside the start of the services.
        const sizeKiB = (): Promise<number> =>
          ssh(access, 'slip shell df -k /var').then((text) =>
            Number(/(\d+)\s+\d+\s+\d+\s+\d+%/.exec(text)?.[1]),
          );
        expect(await until(sizeKiB, (size) => size > 450 * 1024)).toBeGreaterThan(450 * 1024);

        // Root in a container takes all that it can get: what is left is for the logs.
        const fill = (file: string): string => `dd if=/dev/zero of=${file} bs=64k`;
        await expect(ssh(access, `slip exec ssh ${fill('/home/filler')}`)).rejects.toThrow(/No space left/);
        const logins = (): Promise<number> =>
          ssh(access, 'slip logs ssh').then((text) => text.match(/Accepted publickey/g)?.length ?? 0);
        const before = await logins();
        expect(await until(logins, (count) => count > before)).toBeGreaterThan(before);

        // Root of the host takes the rest.
        await ssh(access, `slip shell ${fill('/var/filler')}`).catch(() => undefined);
        const seen = machine.events.length;
        await ssh(access, 'slip reboot').catch(() => undefined);
        await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
        const { status } = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
        expect(status.problems).toEqual([]);
        expect((await ssh(access, 'slip shell ls /var/filler')).trim()).toBe('/var/filler');
        expect(machine.console()).not.toMatch(/unable to write|pausing/);
      });
    }));
});

async function write(file: string, bytes: Uint8Array, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.write(bytes, 0, bytes.length, offset);
  } finally {
    await handle.close();
  }
}

/** Asks until there is an answer that will do: sshd may need a moment. */
async function until<T>(ask: () => Promise<T>, good: (answer: T) => boolean = () => true): Promise<T> {
  const limit = Date.now() + HEALTHY_LIMIT_MS;
  for (;;) {
    try {
      const answer = await ask();
      if (good(answer) || Date.now() > limit) return answer;
    } catch (error) {
      if (Date.now() > limit) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
