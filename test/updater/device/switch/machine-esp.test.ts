/** The boot partition through the machine's own programs, in a directory: what the kernel's vfat does is tested on machines (test/boot). */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { SlipwayError } from '../../../../spec/error.ts';
import type { System } from '../../../../system/system.ts';
import type { Esp } from '../../../../updater/device/switch/boot-disk.ts';
import { ESP_MOUNT, mountedEsp } from '../../../../updater/device/switch/machine-esp.ts';
import { rootedSystem } from '../rooted-system.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-esp-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let place: (path: string) => string;
let linux: string;
let esp: Esp;
/** Bytes that the partition still takes. */
let room: number;

beforeEach(() => {
  const real = rootedSystem(mkdtempSync(join(folder, 'machine-')));
  ({ place } = real);
  linux = join(place(ESP_MOUNT), 'EFI/Linux');
  mkdirSync(linux, { recursive: true });
  room = Infinity;
  const system: System = {
    ...real,
    write: (fd, bytes) => {
      if (room <= 0) return 'failed';
      const count = real.write(fd, bytes.subarray(0, room));
      if (typeof count === 'number') room -= count;
      return count;
    },
  };
  ({ esp } = mountedEsp(system, '/dev/none'));
});

test('failure 12: what a full partition takes in part leaves no file', async () => {
  room = 5000;
  await expect(esp.write('EFI/Linux/a.efi', Buffer.alloc(200_000, 1))).rejects.toMatchObject({
    code: 'switch.esp',
    message: expect.stringContaining('it may be full') as string,
  });
  expect(readdirSync(linux)).toEqual([]);
});

test('failure 12: nor does a producer that is cut off behind some bytes', async () => {
  const cut = esp.write('EFI/Linux/a.efi', (output) => {
    writeFileSync(place(output), 'half a UKI');
    return Promise.reject(new SlipwayError('fetch.failed', 'the cable is out'));
  });
  await expect(cut).rejects.toMatchObject({ code: 'fetch.failed' });
  expect(readdirSync(linux)).toEqual([]);
});

test('what it writes, renames and removes is what lies there; a link is nobody’s file', async () => {
  await esp.write('EFI/Linux/a.efi', Buffer.from('a UKI'));
  await esp.rename('EFI/Linux/a.efi', 'EFI/Linux/b.efi');
  expect(readFileSync(join(linux, 'b.efi'), 'utf8')).toBe('a UKI');
  expect(await esp.list('EFI/Linux')).toEqual([{ name: 'b.efi', kind: 'file', sizeBytes: 5 }]);
  expect(await esp.digest('EFI/Linux/b.efi')).toMatch(/^[0-9a-f]{64}$/);
  expect(await esp.digest('EFI/Linux/none.efi')).toBeUndefined();
  expect(await esp.freeBytes()).toBeGreaterThan(0);
  await esp.remove('EFI/Linux/b.efi');
  await expect(async () => esp.remove('EFI/Linux/b.efi')).rejects.toMatchObject({ code: 'switch.esp' });
  await expect(async () => esp.rename('EFI/Linux/b.efi', 'EFI/Linux/c.efi')).rejects.toMatchObject({
    code: 'switch.esp',
  });
});
