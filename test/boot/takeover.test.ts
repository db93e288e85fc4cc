/** `slipway install ssh://`: a running Debian, with systemd and its own disk in use, becomes a machine of ours. */
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { debianPackages } from '../../bench/debian/packages.ts';
import { firstLogin } from '../../bench/machine.ts';
import { debianRoot } from '../../bench/debian/root.ts';
import { debianUki } from '../../bench/debian/uki.ts';
import { run } from '../../builder/process/run.ts';
import { publicKeyText, sshKey, type SshKey } from '../../lab/ssh.ts';
import { filledIn, readBlocks, theBlock } from '../docs/blocks.ts';
import { changeEsp, withDiskCopy } from './disk-edit.ts';
import { buildTestImage, KEYS, testKeys, WORK } from './image.ts';
import { HEALTHY_LIMIT_MS, slipStatus, ssh, sshAccess, withMachine } from './machine.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;

describe.skipIf(process.env['SLIPWAY_TEST_FULL'] === undefined)('taking over a machine', () => {
  test(
    'its disk is written from memory, read back, and started; what its first boot is told, it does',
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
            },
            async (machine) => {
              await machine.waitForReport('started', LIMIT_MS);
              // Its network comes after its services.
              await firstLogin(() => sshAccess(machine, 'root'));
              await install(machine.sshPort, key, source.disk);
              const access = await sshAccess(machine, source.user);
              expect(await slipStatus(access)).toMatchObject({
                ...{ boot: 'healthy', problems: [], image: { name: 'minimal' } },
              });
              expect((await ssh(access, 'hostname')).trim()).toBe('taken-over');
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

/** The commands of docs/install.md, with what they cannot know: where the machine is, before and after, and how to log in. */
async function install(port: number, key: SshKey, disk: string): Promise<void> {
  const directory = join(WORK, 'takeover');
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, 'build'), { recursive: true });
  await symlink(resolve('bin/slipway'), join(directory, 'slipway'));
  await symlink(KEYS, join(directory, 'keys'));
  await symlink(dirname(disk), join(directory, 'build/metal'));
  await writeFile(
    join(directory, 'me.yaml'),
    `#cloud-config\nhostname: taken-over\nssh_authorized_keys: ['${await publicKeyText(key)}']\n`,
  );
  const options = [
    ...['--identity', key.privateKey, '--after-port', String(port), '--limit', String(LIMIT_MS / 1000)],
    ...['--ssh-option', 'StrictHostKeyChecking=no', '--ssh-option', 'UserKnownHostsFile=/dev/null'],
    // Beside its disk there is the one that the old system lives on.
    ...['--disk', '/dev/vda'],
  ];
  const commands = filledIn(
    theBlock(await readBlocks('docs/install.md'), 'Taking over a running machine', 'sh'),
    {
      'ssh://root@HOST': `${options.join(' ')} ssh://root@127.0.0.1:${port}`,
    },
  );
  await run(['sh', '-eu', '-c', commands], {
    cwd: directory,
    environment: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
    timeoutMs: 2 * LIMIT_MS,
    onOutput: (text) => process.stderr.write(text),
  });
}
