/** A small but whole disk for tests, and everything that it was made of. */
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { signPe } from '../../builder/authenticode/sign.ts';
import { diskTable, makeDisk } from '../../builder/disk/disk.ts';
import { makeErofs } from '../../builder/erofs/erofs.ts';
import { espFiles, ukiFileName } from '../../builder/esp/files.ts';
import type { SectorSize } from '../../builder/gpt/table.ts';
import { loadKeys } from '../../builder/keys/load.ts';
import { run } from '../../builder/process/run.ts';
import { makeState } from '../../builder/state/state.ts';
import { osRelease } from '../../builder/uki/os-release.ts';
import { makeUki } from '../../builder/uki/uki.ts';
import { makeVerity, type VerityInfo } from '../../builder/verity/verity.ts';
import { lockedToolbox } from './locked-toolbox.ts';
import { testKeys } from './test-keys.ts';

export const EPOCH = 1_700_000_000;
export const STATE_BYTES = 64 * 1024 * 1024;
export const MACHINE = {
  format: '1.0',
  image: { name: 'test', version: '1.0.0', architecture: 'amd64' },
  services: [{ name: 'ssh', type: 'service', gate: true, dependsOn: [{ service: 'network' }] }],
};
export const PACKAGES = [{ name: 'crun', version: '1.21-1' }];

export interface TestDisk {
  /** Holds `root.tar`, `root.erofs`, `verity`, `state`, `uki.efi`'s bytes and `disk.raw`. */
  readonly directory: string;
  readonly disk: string;
  readonly uki: Uint8Array;
  readonly verity: VerityInfo;
}

/** Makes `directory`. Its kernel is systemd-boot: a PE image that is at hand. */
export async function makeTestDisk(directory: string, sectorSize: SectorSize = 512): Promise<TestDisk> {
  const toolbox = await lockedToolbox();
  const keys = await loadKeys(await testKeys());
  const efi = (name: string): Promise<Buffer> => readFile(toolbox.file(`/usr/lib/systemd/boot/efi/${name}`));
  const at = (name: string): string => join(directory, name);
  await mkdir(directory);
  await writeTar(at('root.tar'));
  await makeErofs(at('root.tar'), at('root.erofs'), {
    toolbox,
    uuid: '00000000-0000-8000-8000-000000000001',
    epoch: EPOCH,
  });
  const verity = await makeVerity(at('root.erofs'), at('verity'), { toolbox, salt: 'ab'.repeat(32) });
  await makeState(at('state'), { toolbox, sizeBytes: STATE_BYTES, identity: 'test', epoch: EPOCH });
  const uki = await signPe(
    makeUki({
      stub: await efi('linuxx64.efi.stub'),
      kernel: await efi('systemd-bootx64.efi'),
      initrd: Buffer.alloc(3_000_001, 'initrd'),
      commandLine: `quiet roothash=${verity.rootHash}`,
      osRelease: osRelease(MACHINE.image),
      uname: '6.12.1',
    }),
    keys.uki,
  );
  await makeDisk(
    {
      architecture: 'amd64',
      identity: `test ${verity.rootHash}`,
      esp: espFiles({
        architecture: 'amd64',
        bootLoader: await signPe(await efi('systemd-bootx64.efi'), keys.uki),
        uki: { fileName: ukiFileName('test', '1.0.0'), bytes: uki },
        enrolment: { mode: 'if-safe', keys: keys.sets.release },
      }),
      root: at('root.erofs'),
      verity: at('verity'),
      state: at('state'),
    },
    at('disk.raw'),
    { toolbox, sectorSize, epoch: EPOCH },
  );
  return { directory, disk: at('disk.raw'), uki, verity };
}

/** A partition as a sparse file of its own; what these disks hold ends far below 64 MiB in each. */
export async function extractPartition(
  disk: string,
  name: string,
  sectorSize: SectorSize = 512,
): Promise<string> {
  const found = partitionOf(name, sectorSize);
  const path = `${disk}.${name}`;
  const skip = found.offsetBytes / (4 * 1024 * 1024);
  await run(['dd', `if=${disk}`, `of=${path}`, 'bs=4M', `skip=${skip}`, 'count=16', 'conv=sparse']);
  await truncate(path, found.sizeBytes);
  return path;
}

export function partitionOf(
  name: string,
  sectorSize: SectorSize = 512,
): { readonly offsetBytes: number; readonly sizeBytes: number } {
  const { partitions } = diskTable('amd64', '', sectorSize, STATE_BYTES);
  const found = partitions.find((partition) => partition.name === name);
  if (found === undefined) throw new Error(`no partition ${name}`);
  return found;
}

async function writeTar(path: string): Promise<void> {
  const tar = pack();
  const mtime = new Date(EPOCH * 1000);
  const modules = 'usr/lib/modules/6.12.1/';
  for (const name of ['', 'etc/', 'usr/', 'usr/lib/', 'usr/lib/slipway/', 'usr/lib/modules/', modules]) {
    tar.entry({ name: `./${name}`, type: 'directory', mode: 0o755, mtime });
  }
  tar.entry({ name: './usr/lib/slipway/machine.json', mode: 0o644, mtime }, JSON.stringify(MACHINE));
  tar.entry({ name: './usr/lib/slipway/packages.json', mode: 0o644, mtime }, JSON.stringify(PACKAGES));
  tar.entry({ name: `./${modules}modules.builtin`, mode: 0o644, mtime }, 'kernel/drivers/scsi/sr_mod.ko\n');
  const loop = ['kernel/drivers/block/loop.ko', 'kernel/lib/first.ko', 'kernel/lib/second.ko'] as const;
  tar.entry({ name: `./${modules}modules.dep`, mode: 0o644, mtime }, `${loop[0]}: ${loop[1]} ${loop[2]}\n`);
  for (const name of ['kernel/', 'kernel/drivers/', 'kernel/drivers/block/', 'kernel/lib/'])
    tar.entry({ name: `./${modules}${name}`, type: 'directory', mode: 0o755, mtime });
  for (const name of loop) tar.entry({ name: `./${modules}${name}`, mode: 0o644, mtime }, name);
  tar.entry({ name: './etc/small', mode: 0o640, uid: 12, gid: 12, mtime }, 'small\n');
  tar.entry({ name: './etc/large', mode: 0o4755, mtime }, Buffer.alloc(2_000_000, 'large'));
  tar.entry({ name: './etc/link', type: 'link', linkname: './etc/large', mtime });
  tar.entry({ name: './etc/symlink', type: 'symlink', linkname: 'small', mtime });
  for (let index = 0; index < 300; index++) {
    tar.entry({ name: `./etc/file-${index}`, mode: 0o644, mtime }, Buffer.from([index & 255]));
  }
  tar.finalize();
  await pipeline(tar, createWriteStream(path));
}
