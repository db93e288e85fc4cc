/** From the live medium to a disk, without a hand, and the machine that starts from it. */
import { mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exportImage } from '../../builder/export/export.ts';
import { publicKeyText, sshKey } from '../../lab/ssh.ts';
import { filledIn, readBlocks, theBlock } from '../docs/blocks.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, sshAccess, withMachine } from './machine.ts';

const DIRECTORY = join(WORK, 'install');
const GIB = 1024 ** 3;
const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
const page = await readBlocks('docs/install.md');

beforeAll(() => mkdir(DIRECTORY, { recursive: true }));
afterAll(() => rm(DIRECTORY, { recursive: true, force: true }));

describe('installing', () => {
  test(
    'an empty disk is written as the configuration says, one with data is refused, and the machine starts from the former',
    async () => {
      const { disk: built } = await buildTestImage('images/minimal.yaml');
      const [iso] = await exportImage(dirname(built), ['iso'], {
        output: DIRECTORY,
        keys: () => testKeys(),
        progress: { step: (_name, work) => work(), bytes: () => undefined, note: () => undefined },
      });
      const empty = await file('empty.raw', '', 8 * GIB);
      const full = await file('full.raw', 'somebody’s work', 9 * GIB);
      const overlay = join(DIRECTORY, 'empty.qcow2');
      const key = await publicKeyText(await sshKey(join(WORK, 'ssh')));
      const userData = await file(
        'user-data',
        filledIn(theBlock(page, 'Installing from the live medium', 'yaml'), {
          'ssh-ed25519 AAAA... me': `'${key}'`,
          // It is looked at before it ends.
          'then: reboot': 'then: stay',
          'install:': 'hostname: installed-box\ninstall:',
        }),
      );
      await withMachine(
        {
          name: 'install-live',
          disk: empty,
          overlay,
          extraDisks: [{ path: full, format: 'raw' }],
          memoryMiB: 768,
          extraArguments: [
            ...['-drive', `if=none,id=cd0,format=raw,readonly=on,media=cdrom,file=${iso?.path ?? ''}`],
            ...['-device', 'ide-cd,drive=cd0,bus=ide.3,bootindex=9'],
            ...['-fw_cfg', `name=opt/org.slipway/user-data,file=${userData}`],
          ],
        },
        async (machine) => {
          await machine.waitForConsole(/minimal \S+ is on \/dev\/vda/, LIMIT_MS);
          const { access } = await healthyMachine(machine, 'admin');
          const refused = await ssh(access, 'slip install /dev/vdb 2>&1; echo " ended with $?"');
          expect(refused).toMatch(/vdb.*holds data[^]*overwrite wipe[^]*ended with 1/);
          const again = await ssh(access, 'slip install --dry-run --overwrite wipe /dev/vdb');
          expect(again).toMatch(/all of it is lost/);
          // As on the next start with the medium still in.
          const installer = 'qjs -m /usr/lib/slipway/install.js --unattended reboot smallest';
          expect(await ssh(access, `slip shell -T -- ${installer}`)).toMatch(
            /\/dev\/vda holds minimal \S+ already/,
          );
          await ssh(access, 'slip poweroff').catch(() => undefined);
          await machine.exited;
        },
      );
      await withMachine({ name: 'install-disk', disk: empty, overlay }, async (machine) => {
        const { status } = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
        expect(status).toMatchObject({
          boot: 'healthy',
          problems: [],
          slot: 'a',
          image: { name: 'minimal' },
        });
        const access = await sshAccess(machine, 'admin');
        expect((await ssh(access, 'hostname')).trim()).toBe('installed-box');
        // State is on the disk, and as large as it.
        expect(await ssh(access, 'slip state show')).toMatch(/\/dev\/vda7, [45]\.\d GB/);
      });
    },
    4 * LIMIT_MS,
  );
});

async function file(name: string, text: string, sizeBytes?: number): Promise<string> {
  const path = join(DIRECTORY, name);
  await writeFile(path, text);
  if (sizeBytes !== undefined) await truncate(path, sizeBytes);
  return path;
}
