import { expect, test } from 'vitest';
import { describeState } from '../../../host/slip/commands/state.ts';
import { readState, resetState, unlockState, type StateResult } from '../../../host/slipd/state.ts';
import { createNodeSystem } from '../../../system/node.ts';
import type { System } from '../../../system/system.ts';

const BOOT = '/run/slipway/boot';
const IN_USE = {
  '/proc/mounts':
    'tmpfs /run tmpfs rw 0 0\n/dev/vda7 /var ext4 rw,nosuid,nodev 0 0\n/dev/vda7 /var/lib ext4 rw 0 0\n',
  '/sys/class/block/vda7/size': '131072\n',
  [`${BOOT}/state-device`]: '/dev/vda7\n',
};
const DAMAGED = {
  ...IN_USE,
  '/proc/mounts': 'tmpfs /var tmpfs rw,size=25% 0 0\n',
  [`${BOOT}/state-problem`]: 'the state partition /dev/vda7 is damaged (e2fsck: 8)\n',
  [`${BOOT}/state-check`]: 'e2fsck: Bad magic number in super-block\n\n/dev/vda7: UNEXPECTED INCONSISTENCY\n',
};

/** A machine with these files; programs that it starts end with a code. */
function machine(files: Readonly<Record<string, string>>, exitCode = 0): System & { started: string[] } {
  const started: string[] = [];
  return {
    ...createNodeSystem(),
    started,
    readText: (path) => files[path],
    open: () => -1,
    spawn: (argv, options) => {
      started.push(argv.join(' '));
      options?.onExit?.(exitCode);
      return 1;
    },
  };
}

function reset(system: System): StateResult | undefined {
  let result: StateResult | undefined;
  resetState(system, 'admin', (told) => (result = told));
  return result;
}

test('a state partition in use', () => {
  expect(describeState(readState(machine(IN_USE)))).toBe(
    'device      /dev/vda7, 67.1 MB\nencryption  none\n/var        ext4 rw,nosuid,nodev\nproblem     none',
  );
});

test('one that could not be mounted: why, what e2fsck said, what can be done', () => {
  expect(describeState(readState(machine(DAMAGED)))).toBe(`device      /dev/vda7, 67.1 MB
encryption  none
/var        tmpfs rw,size=25%
problem     the state partition /dev/vda7 is damaged (e2fsck: 8)
e2fsck      e2fsck: Bad magic number in super-block
            /dev/vda7: UNEXPECTED INCONSISTENCY

This boot keeps nothing. To give up what is on /dev/vda7: slip state reset --erase yes-erase-all-data`);
});

test('only what could not be mounted is made anew', () => {
  const system = machine(IN_USE);
  expect(reset(system)).toMatchObject({ ok: false, code: 'state.in-use' });
  expect(system.started).toEqual([]);

  const damaged = machine(DAMAGED);
  expect(reset(damaged)).toEqual({ ok: true });
  expect(damaged.started).toEqual([expect.stringContaining('/usr/lib/slipway/boot/state-reset')]);
});

test('a disk without a state partition', () => {
  const { [`${BOOT}/state-device`]: _, ...files } = DAMAGED;
  const system = machine(files);
  expect(reset(system)).toMatchObject({ ok: false, code: 'state.no-partition' });
  expect(system.started).toEqual([]);
});

test('a medium that takes no writes', () => {
  const log = { [`${BOOT}/state-reset.log`]: "64+0 records in\ndd: error writing '/dev/vda7': I/O error\n" };
  expect(reset(machine({ ...DAMAGED, ...log }, 1))).toMatchObject({
    ok: false,
    code: 'state.not-written',
    message: "/dev/vda7 could not be written: dd: error writing '/dev/vda7': I/O error",
  });
});

const RECOVERY_KEY = Array.from({ length: 8 }, () => 'cbdefghi').join('-');
const LOCKED = {
  ...DAMAGED,
  [`${BOOT}/state-problem`]: 'the TPM does not open the state partition /dev/vda7\n',
  [`${BOOT}/state-encryption`]: 'locked\n',
};

function unlock(system: System, enrol: boolean): StateResult | undefined {
  let result: StateResult | undefined;
  unlockState(system, { recoveryKey: RECOVERY_KEY, enrol }, 'admin', (told) => (result = told));
  return result;
}

test('a state partition that the TPM did not open: what opens it', () => {
  expect(describeState(readState(machine(LOCKED)))).toMatch(
    /^encryption {2}LUKS2, not opened\n(.*\n)+.*slip state unlock; .*slip state unlock --enrol\. .*slip state reset/m,
  );
  const opened = { ...IN_USE, [`${BOOT}/state-encryption`]: 'tpm2\n' };
  expect(describeState(readState(machine(opened)))).toContain('encryption  LUKS2, opened by the TPM\n');
});

test('the recovery key goes to the program through a pipe, never in an argument', () => {
  const system = machine(LOCKED);
  const written: string[] = [];
  const watched: System & { started: string[] } = {
    ...system,
    write: (fd, bytes) => {
      written.push(system.decode(bytes));
      return system.write(fd, bytes);
    },
  };
  expect(unlock(watched, true)).toEqual({ ok: true });
  expect(written).toEqual([`${RECOVERY_KEY}\n`]);
  expect(watched.started).toEqual([expect.stringMatching(/boot\/state-unlock "\$0" .* enrol$/)]);
  expect(watched.started.join()).not.toContain(RECOVERY_KEY);
});

test('a key that does not fit; a state partition that waits for none', () => {
  const log = { [`${BOOT}/state-unlock.log`]: 'No key available.\nthat is not the recovery key\n' };
  expect(unlock(machine({ ...LOCKED, ...log }, 1), false)).toMatchObject({
    ok: false,
    code: 'state.not-opened',
    message: 'that is not the recovery key',
  });
  for (const files of [IN_USE, DAMAGED])
    expect(unlock(machine(files), false)).toMatchObject({ ok: false, code: 'state.not-locked' });
});
