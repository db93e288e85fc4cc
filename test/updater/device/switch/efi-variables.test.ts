/** EFI variables through the machine's own programs, in a directory: what the kernel's efivarfs does is tested on machines (test/boot). */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { System } from '../../../../system/system.ts';
import { VENDORS } from '../../../../updater/device/switch/boot-disk.ts';
import { efiVariables } from '../../../../updater/device/switch/efi-variables.ts';
import { rootedSystem } from '../rooted-system.ts';

const MOUNT = '/run/slipway/efi/variables';
const SECURE_BOOT = { name: 'SecureBoot', vendor: VENDORS.firmware } as const;
const ONE_SHOT = { name: 'LoaderEntryOneShot', vendor: VENDORS.loader } as const;

const folder = mkdtempSync(join(tmpdir(), 'slipway-efi-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let place: (path: string) => string;
let mounts: number;
let refused: number;
let hasFirmware: boolean;
let system: System;
const unlocked: string[] = [];
const variables = (): ReturnType<typeof efiVariables> =>
  efiVariables(system, (...argv) => {
    unlocked.push(argv.at(-1)!);
    return Promise.resolve();
  });

beforeEach(() => {
  const real = rootedSystem(mkdtempSync(join(folder, 'machine-')));
  ({ place } = real);
  mounts = 0;
  refused = 0;
  hasFirmware = true;
  unlocked.length = 0;
  // As the kernel: the second of two mounts at one place is refused, and before the first there is nothing to be seen.
  const mount = (): number => {
    if (mounts > 0) {
      refused += 1;
      return 255;
    }
    mounts += 1;
    writeFileSync(join(place(MOUNT), `SecureBoot-${VENDORS.firmware}`), new Uint8Array([6, 0, 0, 0, 1]));
    return 0;
  };
  system = {
    ...real,
    readText: (path) =>
      path === '/proc/mounts'
        ? mounts > 0
          ? `efivarfs ${MOUNT} efivarfs rw 0 0\n`
          : ''
        : real.readText(path),
    status: (path) =>
      path === '/sys/firmware/efi' ? (hasFirmware ? real.status('/') : undefined) : real.status(path),
    spawn: (argv, options) => {
      expect(argv.slice(0, 4)).toEqual(['busybox', 'mount', '-t', 'efivarfs']);
      setTimeout(() => options?.onExit?.(mount()), 20);
      return 4711;
    },
  };
  mkdirSync(place('/run/slipway'), { recursive: true });
});

test('of programs that ask at the same moment one mounts, and each reads what the firmware says', async () => {
  const asked = Array.from({ length: 4 }, () => variables().readVariable(SECURE_BOOT));
  expect(await Promise.all(asked)).toEqual(Array.from({ length: 4 }, () => new Uint8Array([1])));
  expect({ mounts, refused }).toEqual({ mounts: 1, refused: 0 });
});

test('what is written has its attributes, is unlocked before it changes, and goes', async () => {
  const own = variables();
  const file = place(`${MOUNT}/${ONE_SHOT.name}-${ONE_SHOT.vendor}`);
  await own.writeVariable(ONE_SHOT, new Uint8Array([65, 0, 0, 0]));
  expect([...readFileSync(file)]).toEqual([7, 0, 0, 0, 65, 0, 0, 0]);
  expect(unlocked).toEqual([]);
  await own.removeVariable(ONE_SHOT);
  expect(unlocked).toHaveLength(1);
  expect(await own.readVariable(ONE_SHOT)).toBeUndefined();
  await own.removeVariable(ONE_SHOT);
  expect(unlocked).toHaveLength(1);
});

test('a firmware that refuses is told by name', async () => {
  const own = variables();
  await own.readVariable(SECURE_BOOT);
  system = { ...system, write: () => 'failed', remove: () => false };
  await expect(variables().writeVariable(ONE_SHOT, new Uint8Array(2))).rejects.toMatchObject({
    code: 'switch.variable',
    message: 'the firmware refuses to write the variable LoaderEntryOneShot',
  });
  await expect(variables().removeVariable(ONE_SHOT)).rejects.toMatchObject({
    code: 'switch.variable',
    message: 'the firmware refuses to remove the variable LoaderEntryOneShot',
  });
});

test('a machine without EFI has no variables, and takes none', async () => {
  hasFirmware = false;
  const own = variables();
  expect(await own.readVariable(SECURE_BOOT)).toBeUndefined();
  await own.writeVariable(ONE_SHOT, new Uint8Array(2));
  await own.removeVariable(ONE_SHOT);
  expect(mounts).toBe(0);
});
