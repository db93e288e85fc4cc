/**
 * Writes a disk, and reads it back. The partition table goes first as zeros and comes last: until all else is proven to be on the disk, there is
 * nothing on it that starts, and whoever is interrupted begins again, with the same words: a mark says that nothing on it is anybody's.
 */
import { SlipwayError } from '../../spec/error.ts';
import { LAYOUT_VERSION, type PartitionName } from '../../spec/layout.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { runProgram } from '../../system/program.ts';
import type { System } from '../../system/system.ts';
import { carryConfiguration } from './carry.ts';
import { UNFINISHED } from './facts.ts';
import type { InstallPlan } from './plan.ts';
import type { NewTable } from './table.ts';

const FOLDER = `${MACHINE_PATHS.runtime}/install`;
const BUSYBOX = '/usr/bin/busybox';
const DMSETUP = '/usr/sbin/dmsetup';
const MIB = 1024 * 1024;
const PREFIX = 'install-';

export async function writeInstallation(
  system: System,
  plan: InstallPlan,
  table: NewTable,
  say: (text: string) => void,
): Promise<void> {
  const device = `/dev/${plan.disk.name}`;
  say(`clearing the partition table of ${device}`);
  await zero(system, device, 0, MIB);
  await zero(system, device, plan.disk.sizeBytes - MIB, MIB);
  await write(system, device, UNFINISHED.offset, system.encode(UNFINISHED.text));
  const parts = await mapAll(system, plan, table);
  try {
    say('root');
    await writeRoot(system, plan, parts);
    say('boot partition');
    await writeEsp(system, plan, parts.esp);
    say('state');
    await writeState(system, parts['slipway-state']);
    await write(system, parts['slipway-reserved'], 0, system.encode(`slipway layout ${LAYOUT_VERSION}\n`));
  } finally {
    await dropLeftovers(system);
  }
  say('partition table');
  await flush(system, device);
  for (const { offset, bytes } of [table.backup, table.primary]) await write(system, device, offset, bytes);
  for (const { offset, bytes } of [table.backup, table.primary]) compare(system, device, offset, bytes);
  await zero(system, device, UNFINISHED.offset, 512);
  // What else runs here may see the partitions now; if it does not, the next start does.
  await runProgram(system, [BUSYBOX, 'blockdev', '--rereadpt', device]);
}

type Parts = Readonly<Record<PartitionName, string>>;

/** The kernel knows no partition before there is a table. */
async function mapAll(system: System, { disk }: InstallPlan, table: NewTable): Promise<Parts> {
  const parts: Partial<Record<PartitionName, string>> = {};
  for (const { name, offsetBytes, sizeBytes } of table.partitions) {
    const line = `0 ${sizeBytes / 512} linear /dev/${disk.name} ${offsetBytes / 512}`;
    parts[name] = await map(system, `${PREFIX}${name}`, line);
  }
  return parts as Parts;
}

async function map(system: System, name: string, line: string, ...more: readonly string[]): Promise<string> {
  await must(system, [DMSETUP, 'create', name, ...more, '--noudevrules', '--noudevsync', '--table', line]);
  const minor = system
    .list('/sys/block')
    .find((each) => system.readText(`/sys/block/${each}/dm/name`)?.trim() === name);
  if (minor === undefined) throw new SlipwayError('install.device', `the device ${name} does not appear`);
  return `/dev/${minor}`;
}

/** Mounts and mappings of an installation, which hold its disk: this one's, or what one left that was killed. */
export async function dropLeftovers(system: System): Promise<void> {
  if (system.readText('/proc/mounts')?.includes(` ${FOLDER} `) === true)
    await runProgram(system, [BUSYBOX, 'umount', FOLDER]);
  const names = system
    .list('/sys/block')
    .map((each) => system.readText(`/sys/block/${each}/dm/name`)?.trim() ?? '')
    .filter((name) => name.startsWith(PREFIX));
  // The one that checks lies over the others.
  names.sort((a, b) => Number(b === `${PREFIX}check`) - Number(a === `${PREFIX}check`));
  for (const name of names)
    await runProgram(system, [DMSETUP, 'remove', '--noudevrules', '--noudevsync', name]);
}

/** Read through verity on both sides: what is copied is what was signed, and so is what the disk then holds. */
async function writeRoot(system: System, { medium }: InstallPlan, parts: Parts): Promise<void> {
  await copy(system, medium.root, parts['root-a'], ['bs=1M']);
  // The superblock, by which a slot is known, comes when the slot is good.
  await copy(system, medium.verity, parts['verity-a'], ['bs=4096', 'skip=1', 'seek=1']);
  await zero(system, parts['verity-a'], 0, 4096);
  await zero(system, parts['verity-b'], 0, MIB);
  for (const part of [parts['root-a'], parts['verity-a']]) await flush(system, part);
  const words = medium.table.split(' ');
  // start, length, `verity`, version, data device, hash device, ... (the kernel's admin-guide/device-mapper/verity.rst)
  const [data, tree] = [4, 5];
  if (words[2] !== 'verity')
    throw new SlipwayError('install.root', 'the root of this machine is not a verity device');
  const line = words.map((word, place) =>
    place === data ? parts['root-a'] : place === tree ? parts['verity-a'] : word,
  );
  const check = await map(system, `${PREFIX}check`, line.join(' '), '--readonly');
  const read = await runProgram(system, [
    BUSYBOX,
    'dd',
    `if=${check}`,
    'of=/dev/null',
    'bs=1M',
    'status=none',
  ]);
  await must(system, [DMSETUP, 'remove', '--noudevrules', '--noudevsync', `${PREFIX}check`]);
  if (read.code !== 0)
    throw new SlipwayError('install.read-back', 'the disk does not hold the root that was written to it', {
      hint: 'the disk is bad, or its cable; nothing starts from it now',
    });
  await copy(system, medium.verity, parts['verity-a'], ['bs=4096', 'count=1']);
}

async function writeEsp(system: System, { medium }: InstallPlan, device: string): Promise<void> {
  await zero(system, device, 0, 16 * MIB);
  await must(system, [BUSYBOX, 'mkdosfs', '-n', 'ESP', device]);
  const expected = `${FOLDER}.esp`;
  await runProgram(system, [BUSYBOX, 'rm', '-rf', expected]);
  system.makeDirectory(expected, 0o700);
  try {
    await must(system, [BUSYBOX, 'tar', '-x', '-f', medium.esp, '-C', expected]);
    const files = await listFiles(system, expected);
    await mounted(system, device, 'vfat', async (folder) => {
      await must(system, [BUSYBOX, 'cp', '-R', `${expected}/.`, folder]);
      await must(system, [BUSYBOX, 'sync']);
    });
    await flush(system, device);
    await mounted(system, device, 'vfat', async (folder) => {
      for (const file of files)
        await must(system, [BUSYBOX, 'cmp', `${expected}/${file}`, `${folder}/${file}`]);
    });
  } finally {
    await runProgram(system, [BUSYBOX, 'rm', '-rf', expected]);
  }
}

async function listFiles(system: System, folder: string): Promise<readonly string[]> {
  const { stdout } = await runProgram(system, [BUSYBOX, 'find', folder, '-type', 'f']);
  const paths = system
    .decode(stdout)
    .split('\n')
    .filter((path) => path !== '');
  if (paths.length === 0)
    throw new SlipwayError('install.medium', 'the medium holds no files for the boot partition');
  return paths.map((path) => path.slice(folder.length + 1));
}

async function writeState(system: System, device: string): Promise<void> {
  const pipe = system.pipe();
  const ended = [
    exit(system, ['/usr/bin/zstd', '-dqc', MACHINE_PATHS.emptyState], { stdout: pipe.write }),
    exit(
      system,
      [BUSYBOX, 'dd', `of=${device}`, 'bs=64k', 'iflag=fullblock', 'conv=notrunc,fsync', 'status=none'],
      {
        stdin: pipe.read,
      },
    ),
  ];
  system.close(pipe.write);
  system.close(pipe.read);
  if ((await Promise.all(ended)).some((code) => code !== 0))
    throw new SlipwayError('install.state', `the empty file system cannot be written to ${device}`);
  await flush(system, device);
  await must(system, ['/usr/sbin/e2fsck', '-fn', device]);
  await mounted(system, device, 'ext4', (folder) => carryConfiguration(system, folder));
}

async function mounted(
  system: System,
  device: string,
  kind: string,
  use: (folder: string) => Promise<void> | void,
): Promise<void> {
  system.makeDirectory(FOLDER, 0o700);
  await must(system, [BUSYBOX, 'mount', '-t', kind, device, FOLDER]);
  try {
    await use(FOLDER);
  } finally {
    await must(system, [BUSYBOX, 'umount', FOLDER]);
  }
}

function exit(
  system: System,
  argv: readonly string[],
  ends: { stdin?: number; stdout?: number },
): Promise<number> {
  return new Promise((resolve) => {
    if (system.spawn(argv, { ...ends, stderr: 2, onExit: resolve }) < 0) resolve(127);
  });
}

async function copy(system: System, from: string, to: string, how: readonly string[]): Promise<void> {
  await must(system, [BUSYBOX, 'dd', `if=${from}`, `of=${to}`, 'conv=notrunc,fsync', 'status=none', ...how]);
}

async function zero(system: System, device: string, offset: number, length: number): Promise<void> {
  const where = [`seek=${offset / 512}`, `count=${length / 512}`];
  await must(system, [
    BUSYBOX,
    'dd',
    'if=/dev/zero',
    `of=${device}`,
    'bs=512',
    'conv=notrunc,fsync',
    'status=none',
    ...where,
  ]);
}

async function flush(system: System, device: string): Promise<void> {
  await must(system, [BUSYBOX, 'sync']);
  await must(system, [BUSYBOX, 'blockdev', '--flushbufs', device]);
}

async function write(system: System, device: string, offset: number, bytes: Uint8Array): Promise<void> {
  const fd = system.open(device, { access: 'write' });
  const done = fd >= 0 && system.writeAt(fd, offset, bytes);
  if (fd >= 0) system.close(fd);
  if (!done) throw new SlipwayError('install.write', `cannot write ${device}`);
  await flush(system, device);
}

function compare(system: System, device: string, offset: number, bytes: Uint8Array): void {
  const fd = system.open(device, { access: 'read' });
  const found = fd < 0 ? 'failed' : system.readAt(fd, offset, bytes.length);
  if (fd >= 0) system.close(fd);
  const same =
    found !== 'failed' &&
    found.length === bytes.length &&
    found.every((byte, place) => byte === bytes[place]);
  if (!same)
    throw new SlipwayError(
      'install.read-back',
      `${device} does not hold the partition table that was written to it`,
    );
}

async function must(system: System, argv: readonly string[]): Promise<void> {
  const { code } = await runProgram(system, argv);
  if (code === 0) return;
  const what = argv[0] === BUSYBOX ? argv.slice(1).join(' ') : argv.join(' ');
  throw new SlipwayError('install.failed', `${what} ended with ${code}`, {
    hint: 'nothing starts from that disk now; run it again',
  });
}
