import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { removeSignatures } from '../../builder/authenticode/sign.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import type { Machine } from '../../lab/machine.ts';
import { changeEsp, findBytes, flipByte, partition, withDiskCopy } from './disk-edit.ts';
import { buildTestImage } from './image.ts';
import {
  expectQuietConsole,
  healthyMachine,
  HEALTHY_LIMIT_MS,
  slipStatus,
  ssh,
  withMachine,
} from './machine.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
const REFUSED = /Error loading EFI binary .*Access denied/;

/** Everything that firmware, boot loader and verity must refuse. What is attacked is the disk that a user would write. */
describe('what was not signed does not run', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;
  let ukiPath: string;

  beforeAll(async () => {
    source = await buildTestImage('images/minimal.yaml');
    ukiPath = `EFI/Linux/${basename(source.disk, '.raw')}.efi`;
  }, LIMIT_MS);

  const builtUki = (): Promise<Buffer> => readFile(source.disk.replace(/\.raw$/, '.efi'));

  /** Starts a machine from a changed copy of the disk. */
  const attacked = (
    name: string,
    change: (disk: string) => Promise<void>,
    check: (machine: Machine) => Promise<void>,
    options: { memoryMiB?: number } = {},
  ): Promise<void> =>
    withDiskCopy(source.disk, async (disk) => {
      await change(disk);
      await withMachine({ name, disk, expected: ['file-system'], ...options }, check);
    });

  test('an unsigned UKI is refused by the firmware', () =>
    attacked(
      'unsigned-uki',
      async (disk) => changeEsp(disk, { [ukiPath]: removeSignatures(await builtUki()) }),
      async (machine) => {
        await machine.waitForConsole(REFUSED, HEALTHY_LIMIT_MS);
        expect(machine.console()).not.toContain('EFI stub');
      },
    ));

  test('a UKI with one byte of its command line changed is refused', () =>
    attacked(
      'changed-command-line',
      async (disk) => {
        const uki = await builtUki();
        const place = uki.indexOf('lockdown=integrity');
        expect(place).toBeGreaterThan(0);
        uki[place] = (uki[place] ?? 0) ^ 0x01;
        await changeEsp(disk, { [ukiPath]: uki });
      },
      async (machine) => {
        await machine.waitForConsole(REFUSED, HEALTHY_LIMIT_MS);
        expect(machine.console()).not.toContain('EFI stub');
      },
    ));

  test('a root with one flipped byte in a file that is read never becomes healthy', () =>
    attacked(
      'flipped-root',
      async (disk) => {
        const root = await partition(disk, 'root-a');
        // Its own name, at the beginning of slipd's bytecode.
        const inRoot = await findBytes(
          source.disk.replace(/\.raw$/, '.root.erofs'),
          Buffer.from('/usr/lib/slipway/slipd.so'),
        );
        await flipByte(disk, root.offset + inRoot + 100);
      },
      async (machine) => {
        await machine.waitForConsole(/verity: .*(?:corrupted|mismatch)/, HEALTHY_LIMIT_MS);
        expect(machine.reports).toEqual([]);
      },
    ));

  test('a verity tree with one flipped byte never becomes healthy', () =>
    attacked(
      'flipped-tree',
      async (disk) => {
        // Behind the superblock comes the top of the tree, which every read goes through.
        const { offset } = await partition(disk, 'verity-a');
        await flipByte(disk, offset + 4096 + 8);
      },
      async (machine) => {
        await machine.waitForConsole(/CANNOT BOOT minimal/, HEALTHY_LIMIT_MS);
        expect(machine.reports).toEqual([]);
      },
    ));

  test.each([
    { name: 'a foreign root', extra: `roothash=${'0'.repeat(64)}` },
    { name: 'another first program', extra: 'rdinit=/usr/bin/busybox -- sh' },
    { name: 'an unknown parameter', extra: 'slipway.something=1 init=/bin/sh systemd.debug-shell=1' },
  ])(
    'a command line extended through SMBIOS with $name is told as tampering, and gives no shell',
    ({ name, extra }) =>
      withMachine(
        {
          name: `smbios-${name.replaceAll(' ', '-')}`,
          disk: source.disk,
          smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=${extra}`],
        },
        async (machine) => {
          const { status } = await machine.waitForReport('started', HEALTHY_LIMIT_MS);
          expect(status.problems).toContainEqual(expect.stringContaining('tampered'));
          expect(status.problems.join('\n')).toContain(extra);
          const offset = machine.console().length;
          machine.type('\necho SHELL=$((6*7))\n');
          // All gates healthy, and yet the boot is not.
          await expect(machine.waitForReport('healthy', 20_000)).rejects.toThrow(/did not report "healthy"/);
          expect(machine.console().slice(offset)).not.toContain('SHELL=42');
        },
      ),
  );

  test('unsigned credentials, extensions and addons on the boot partition change nothing', () =>
    attacked(
      'esp-extras',
      async (disk) => {
        const uki = await builtUki();
        const text = Buffer.from('root:evil');
        await changeEsp(disk, {
          'loader/credentials/passwd.hashed-password.root.cred': text,
          [`${ukiPath}.extra.d/ssh.authorized_keys.root.cred`]: text,
          [`${ukiPath}.extra.d/evil.sysext.raw`]: Buffer.alloc(65536, 0x5a),
          [`${ukiPath}.extra.d/evil.confext.raw`]: Buffer.alloc(65536, 0x5a),
          [`${ukiPath}.extra.d/evil.addon.efi`]: removeSignatures(uki),
          'loader/addons/evil.addon.efi': removeSignatures(uki),
          'loader/random-seed': Buffer.alloc(512, 1),
        });
      },
      async (machine) => {
        const { status, access } = await healthyMachine(machine, source.user);
        expect(status.problems).toEqual([]);
        expect(await slipStatus(access)).toMatchObject({ boot: 'healthy' });
        await expect(ssh(access, 'ls -d /.extra')).rejects.toThrow();
      },
    ));

  test('a debug image is refused by a production machine, and runs where the debug keys are trusted', async () => {
    const debug = await buildTestImage('images/minimal.yaml', ['debug']);
    await withMachine({ name: 'debug-on-production', disk: debug.disk }, async (machine) => {
      // Its boot loader is signed with debug keys, too: the firmware refuses that already.
      await machine.waitForConsole(/Access Denied|Security Violation|No bootable option/i, HEALTHY_LIMIT_MS);
      expect(machine.console()).not.toContain('EFI stub');
    });
    await withDiskCopy(source.disk, async (disk) => {
      const uki = await readFile(debug.disk.replace(/\.raw$/, '.efi'));
      await changeEsp(disk, { [ukiPath]: uki });
      await withMachine({ name: 'debug-uki-on-production', disk }, async (machine) => {
        await machine.waitForConsole(REFUSED, HEALTHY_LIMIT_MS);
        expect(machine.console()).not.toContain('EFI stub');
      });
    });
    await withMachine({ name: 'debug-trusted', disk: debug.disk, trust: 'debug' }, async (machine) => {
      await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
      machine.type('\necho SHELL=$((6*7))\n');
      await machine.waitForConsole(/SHELL=42/, 60_000);
      expectQuietConsole(machine);
    });
  });

  test('a production image gives no shell on its console', () =>
    withMachine({ name: 'no-console-shell', disk: source.disk }, async (machine) => {
      await machine.waitForReport('started', HEALTHY_LIMIT_MS);
      const offset = machine.console().length;
      machine.type('\n\x03\x04root\n\necho SHELL=$((6*7))\n');
      await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
      expect(machine.console().slice(offset)).not.toMatch(/SHELL=42|login:|[#$] $/);
    }));
});
