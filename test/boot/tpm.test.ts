/** State that a TPM opens (docs/encryption.md): one machine's life, with swtpm for its TPM. */
import { randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kernelBootPcr } from '../../builder/pcr/measure.ts';
import { run } from '../../builder/process/run.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import type { Machine } from '../../lab/machine.ts';
import type { FirmwareVariable } from '../../lab/ovmf-vars.ts';
import type { SshAccess } from '../../lab/ssh.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { changeEsp, partition, withDiskCopy } from './disk-edit.ts';
import { buildTestImage, WORK } from './image.ts';
import {
  healthyMachine,
  HEALTHY_LIMIT_MS,
  slipStatus,
  ssh,
  sshAccess,
  startTestMachine,
  withMachine,
  type TestMachineOptions,
} from './machine.ts';
import { RECOVERY_KEY } from './recovery-key.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 14 * HEALTHY_LIMIT_MS;
const EXTRA = 'io.systemd.stub.kernel-cmdline-extra=quiet';

/** Of EDK II's SecureBootConfigDxe: what its setup page writes. */
const SECURE_BOOT_OFF: FirmwareVariable = {
  name: 'SecureBootEnable',
  vendor: 'f0a30bc7-af08-4556-99c4-001009c93a44',
  attributes: 3,
  data: Uint8Array.of(0),
};

/** Random, so that it stands nowhere else, and in letters, so that a search finds it. */
const SEEDED = `seeded ${randomBytes(24).toString('hex')}`;
const WRITTEN = `written ${randomBytes(24).toString('hex')}`;

describe.runIf(FULL)('a state partition that the TPM opens', { timeout: LIMIT_MS }, () => {
  test('is encrypted on the first boot, whatever is cut, and opens for nothing that was not signed', () =>
    withMachineDisk(firstDays));

  test('opens for other versions, moves to another machine with its recovery key, and is given up', () =>
    withMachineDisk(laterDays));

  test('is not left in the clear by a machine that has no TPM', async () => {
    const source = await buildTestImage('test/boot/images/encrypted.yaml');
    await withMachine({ name: 'tpm-none', disk: source.disk }, async (machine) => {
      const { status } = await machine.waitForReport('started', HEALTHY_LIMIT_MS);
      expect(status.problems.join()).toMatch(
        /state: .* is to be encrypted, and this machine has no TPM 2\.0/,
      );
      const access = await reachable(machine, source);
      expect(await ssh(access, 'slip state show')).toMatch(/^encryption +none\n\/var +tmpfs /m);
    });
  });
});

interface MachineDisk {
  readonly source: DiskSource;
  readonly disk: string;
  /** A machine that it is in, the same one at each call. */
  readonly options: (name: string) => TestMachineOptions;
}

async function withMachineDisk(body: (machine: MachineDisk) => Promise<void>): Promise<void> {
  const source = await buildTestImage('test/boot/images/encrypted.yaml');
  await withDiskCopy(source.disk, async (disk) => {
    const [overlay, tpm] = [`${disk}.qcow2`, `${disk}.tpm`];
    const options = (name: string): TestMachineOptions => ({
      ...{ name: `tpm-${name}`, disk, overlay, tpm, diskSizeBytes: source.machineDiskBytes },
    });
    try {
      await body({ source, disk, options });
    } finally {
      for (const path of [overlay, tpm, otherTpm(disk), flat(disk)])
        await rm(path, { recursive: true, force: true });
    }
  });
}

async function firstDays({ source, disk, options }: MachineDisk): Promise<void> {
  // What an installer would have left there.
  await seed(disk, SEEDED);

  // Cut off again and again, a little later each time.
  for (const [index, delayMs] of [300, 2500, 6000].entries()) {
    const machine = await startTestMachine(options(`cut-${index}`));
    try {
      await machine.waitForConsole(/the state partition \S+ is being encrypted/, HEALTHY_LIMIT_MS);
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    } finally {
      await machine.close();
    }
  }

  let recoveryKey = '';
  await withMachine(options('first'), async (machine) => {
    const { status, access } = await healthyMachine(machine, source.user);
    expect(status.problems).toEqual([]);
    // Twice, one under the other: the emulated port repeats a letter now and then.
    const shown = machine.console().match(new RegExp(RECOVERY_KEY, 'g')) ?? [];
    expect(shown.length).toBeLessThanOrEqual(2);
    const earlier = await readFile(join(WORK, 'console', 'tpm-cut-2.log'), 'latin1');
    recoveryKey = shown[0] ?? RECOVERY_KEY.exec(earlier)?.[0] ?? '';
    expect(recoveryKey).toMatch(RECOVERY_KEY);
    expect(await ssh(access, 'slip state show')).toMatch(
      /^encryption +LUKS2, opened by the TPM\n\/var +ext4 /m,
    );
    expect(await ssh(access, 'slip shell cat /var/marker')).toBe(SEEDED);
    await ssh(access, `slip shell sh -c 'echo ${WRITTEN} >/var/written && sync'`);
    // What runs cannot ask the TPM: PCR 11 is neither what the stub left, nor what was signed.
    const register = await ssh(access, 'slip shell cat /sys/class/tpm/tpm0/pcr-sha256/11');
    const uki = await readFile(source.disk.replace(/\.raw$/, '.efi'));
    expect(register.trim().toLowerCase()).not.toBe(kernelBootPcr(uki).toString('hex'));
    const device = (await ssh(access, 'slip shell cat /run/slipway/boot/state-device')).trim();
    await expect(
      ssh(
        access,
        'slip shell env SYSTEMD_CRYPTSETUP_USE_TOKEN_MODULE=0 SYSTEMD_LOG_TARGET=console ' +
          `systemd-cryptsetup attach again ${device} - ` +
          'tpm2-device=/dev/tpmrm0,tpm2-signature=/run/slipway/boot/pcr-signature.json,headless=true',
      ),
    ).rejects.toThrow(/Failed to unseal secret using TPM2/);
    // The file system grew to the end of the partition.
    await until(async () => {
      const [, blocks = '0'] =
        /(\d+)\s+\d+\s+\d+\s+\d+% \/var/.exec(await ssh(access, 'slip shell df -k /var')) ?? [];
      return Number(blocks) > 4 * 1024 * 1024;
    });
    await powerOff(machine, access);
  });

  await withMachine(options('second'), async (machine) => {
    const { status, access } = await healthyMachine(machine, source.user);
    expect(status.problems).toEqual([]);
    expect(machine.console()).not.toMatch(RECOVERY_KEY);
    expect(await ssh(access, 'slip shell cat /var/marker /var/written')).toBe(`${SEEDED}${WRITTEN}\n`);
    await powerOff(machine, access);
  });

  // Nobody finds anything on the disk, neither of what was there before nor of what came later.
  const raw = await flatten(disk);
  for (const text of [SEEDED, WRITTEN, recoveryKey]) expect(await holds(raw, text)).toBe(false);
  await rm(raw);

  await withMachine({ ...options('added'), smbiosStrings: [EXTRA] }, async (machine) => {
    const access = await locked(machine, source, /something was added to the signed start \(PCR 12\)/);
    await expect(ssh(access, 'slip state unlock', `${'cbdefghi-'.repeat(7)}cbdefghi\n`)).rejects.toThrow(
      /that is not the recovery key/,
    );
    await ssh(access, 'slip state unlock', `${recoveryKey}\n`);
    expect(await ssh(access, 'slip shell cat /run/slipway/state/marker /run/slipway/state/written')).toBe(
      `${SEEDED}${WRITTEN}\n`,
    );
    await powerOff(machine, access);
  });
}

async function laterDays({ source, disk, options }: MachineDisk): Promise<void> {
  let recoveryKey = '';
  await withMachine(options('begun'), async (machine) => {
    const { access } = await healthyMachine(machine, source.user);
    recoveryKey = RECOVERY_KEY.exec(machine.console())?.[0] ?? '';
    await ssh(access, `slip shell sh -c 'echo ${WRITTEN} >/var/written && sync'`);
    await powerOff(machine, access);
  });

  // With PCR 7 as others have it: Secure Boot switched off in the firmware's setup.
  await withMachine({ ...options('insecure'), variables: [SECURE_BOOT_OFF] }, async (machine) => {
    await locked(machine, source, /Secure Boot or its keys/);
  });

  // Another version in the other slot, signed by the same keys; as an update leaves it.
  const next = await buildTestImage('test/boot/images/encrypted-next.yaml');
  const built = (kind: string): string => next.disk.replace(/\.raw$/, kind);
  await rename(await flatten(disk), disk);
  await rm(`${disk}.qcow2`);
  await fill(disk, 'root-b', built('.root.erofs'));
  await fill(disk, 'verity-b', built('.verity'));
  const uki = await readFile(built('.efi'));
  expect(kernelBootPcr(uki)).not.toEqual(
    kernelBootPcr(await readFile(source.disk.replace(/\.raw$/, '.efi'))),
  );
  await changeEsp(disk, { [`EFI/Linux/${basename(next.disk, '.raw')}.efi`]: uki });
  await withMachine(options('next'), async (machine) => {
    const { status, access } = await healthyMachine(machine, source.user);
    expect(status).toMatchObject({ problems: [], slot: 'b', image: { version: '1.1.0' } });
    expect(await ssh(access, 'slip shell cat /var/written')).toBe(`${WRITTEN}\n`);
    await powerOff(machine, access);
  });

  // The disk in another machine: its recovery key makes it that machine's.
  await withMachine({ ...options('moved'), tpm: otherTpm(disk) }, async (machine) => {
    const access = await locked(machine, source, /the TPM, or the machine are others/);
    const seen = machine.events.length;
    await ssh(access, 'slip state unlock --enrol', `${recoveryKey}\n`).catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    const { status, access: anew } = await healthyMachine(machine, source.user);
    expect(status.problems).toEqual([]);
    expect(await ssh(anew, 'slip shell cat /var/written')).toBe(`${WRITTEN}\n`);
    await powerOff(machine, anew);
  });

  // And is closed to the first one, where it is given up in the end.
  await withMachine(options('given-up'), async (machine) => {
    const access = await locked(machine, source, /the TPM does not open/);
    const seen = machine.events.length;
    await ssh(access, 'slip state reset --erase yes-erase-all-data').catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    const { status, access: anew } = await healthyMachine(machine, source.user);
    expect(status.problems).toEqual([]);
    const [key = ''] = RECOVERY_KEY.exec(machine.console()) ?? [];
    expect(key).not.toBe(recoveryKey);
    expect(key).toMatch(RECOVERY_KEY);
    expect(await ssh(anew, 'slip state show')).toMatch(/^encryption +LUKS2, opened by the TPM\n/m);
    await expect(ssh(anew, 'slip shell cat /var/written')).rejects.toThrow(/No such file/);
  });
}

/** A file in the file system that the image ships, as if an installer had written it. */
async function seed(disk: string, text: string): Promise<void> {
  const { offset } = await partition(disk, 'slipway-state');
  const file = `${disk}.seed`;
  await writeFile(file, text);
  try {
    await run(['debugfs', '-w', '-R', `write ${file} marker`, `${disk}?offset=${offset}`]);
  } finally {
    await rm(file, { force: true });
  }
}

/** Comes up without its state, says why, and can be reached. */
async function locked(machine: Machine, source: DiskSource, why: RegExp): Promise<SshAccess> {
  const { status } = await machine.waitForReport('started', HEALTHY_LIMIT_MS);
  expect(status.problems.join()).toMatch(/state: the TPM does not open .*slip state unlock/);
  expect(status.problems.join()).toMatch(why);
  const access = await reachable(machine, source);
  expect(await ssh(access, 'slip state show')).toMatch(/^encryption +LUKS2, not opened\n\/var +tmpfs /m);
  expect((await slipStatus(access)).boot).not.toBe('healthy');
  return access;
}

/** sshd may need a moment. */
async function reachable(machine: Machine, source: DiskSource): Promise<SshAccess> {
  const access = await sshAccess(machine, source.user);
  await until(() =>
    slipStatus(access).then(
      () => true,
      () => false,
    ),
  );
  return access;
}

async function powerOff(machine: Machine, access: SshAccess): Promise<void> {
  await ssh(access, 'slip poweroff').catch(() => undefined);
  await machine.exited;
}

/** The disk as the machine left it, in one file. */
async function flatten(disk: string): Promise<string> {
  const toolbox = await labToolbox();
  await run([...toolbox.command('qemu-img'), 'convert', '-O', 'raw', `${disk}.qcow2`, flat(disk)]);
  return flat(disk);
}

function flat(disk: string): string {
  return `${disk}.flat`;
}

function otherTpm(disk: string): string {
  return `${disk}.other-tpm`;
}

/** A file's bytes at the start of a partition. */
async function fill(disk: string, name: string, file: string): Promise<void> {
  const { offset } = await partition(disk, name);
  await run(['dd', `if=${file}`, `of=${disk}`, 'bs=1M', `seek=${offset / 1024 ** 2}`, 'conv=notrunc,sparse']);
}

async function holds(file: string, text: string): Promise<boolean> {
  return run(['grep', '-a', '-c', '-F', '-m', '1', text, file], { timeoutMs: HEALTHY_LIMIT_MS }).then(
    () => true,
    () => false,
  );
}

async function until(good: () => Promise<boolean>): Promise<void> {
  const limit = Date.now() + HEALTHY_LIMIT_MS;
  while (!(await good())) {
    if (Date.now() > limit) throw new Error('it did not come to that in time');
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
