/** `slipway install ssh://`: a running Debian, with systemd and its own disk in use, becomes a machine of ours. */
import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { debianPackages } from '../../bench/debian/packages.ts';
import { firstLogin } from '../../bench/machine.ts';
import { debianRoot } from '../../bench/debian/root.ts';
import { debianUki } from '../../bench/debian/uki.ts';
import { run } from '../../builder/process/run.ts';
import { publicKeyText, sshKey } from '../../lab/ssh.ts';
import { changeEsp, withDiskCopy } from './disk-edit.ts';
import { buildTestImage, KEYS, testKeys, WORK } from './image.ts';
import { HEALTHY_LIMIT_MS, slipStatus, sshAccess, withMachine } from './machine.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;

describe.skipIf(process.env['SLIPWAY_TEST_FULL'] === undefined)('taking over a machine', () => {
  test(
    'its disk is written from memory, read back, and started; the key that opened it opens it again',
    async () => {
      const source = await buildTestImage('images/minimal.yaml');
      const key = await sshKey(join(WORK, 'ssh'));
      const root = join(WORK, 'takeover-debian.ext4');
      await debianRoot(await debianPackages(), root, await publicKeyText(key));
      try {
        await withDiskCopy(source.disk, async (disk) => {
          const uki = await readFile(source.disk.replace(/\.raw$/, '.efi'));
          const name = `EFI/Linux/${basename(source.disk, '.raw')}.efi`;
          await changeEsp(disk, { [name]: await debianUki(uki, (await testKeys()).uki) });
          const extraDisks = [{ path: root, format: 'raw' as const }];
          await withMachine(
            {
              name: 'takeover',
              disk,
              diskSizeBytes: source.machineDiskBytes,
              extraDisks,
              memoryMiB: 768,
              cpus: 2,
            },
            async (machine) => {
              await machine.waitForReport('started', LIMIT_MS);
              // Its network comes after its services.
              await firstLogin(() => sshAccess(machine, 'root'));
              await install(machine.sshPort, key.privateKey, source.disk);
              const status = await slipStatus(await sshAccess(machine, source.user));
              expect(status).toMatchObject({ boot: 'healthy', problems: [], image: { name: 'minimal' } });
            },
          );
        });
      } finally {
        await rm(root, { force: true });
      }
    },
    2 * LIMIT_MS,
  );
});

/** As a user does, but for what a test cannot know beforehand. */
async function install(port: number, identity: string, disk: string): Promise<void> {
  const build = disk.replace(/\/[^/]+$/, '');
  const argv = [
    ...['bin/slipway', 'install', `ssh://root@127.0.0.1:${port}`, build],
    ...['--disk', '/dev/vda', '--overwrite', 'wipe', '--identity', identity, '--keys', KEYS],
    ...['--ssh-option', 'StrictHostKeyChecking=no', '--ssh-option', 'UserKnownHostsFile=/dev/null'],
    ...['--after-port', String(port), '--limit', String(LIMIT_MS / 1000)],
  ];
  await run(argv, { timeoutMs: 2 * LIMIT_MS });
}
