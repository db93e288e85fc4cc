/**
 * Disks on a machine in a directory: devices are files, written by the real programs and judged by others (sfdisk, e2fsck, blkid). The empty ext4 is
 * made as the builder makes it.
 */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readDisks } from '../../../../host/provision/apply/block-devices.ts';
import { createNodeSystem } from '../../../../system/node.ts';
import type { System } from '../../../../system/system.ts';
import { scratch, told, type Scratch } from './scratch.ts';

const MIB = 1024 * 1024;
const EMPTY_STATE = 'usr/lib/slipway/state.ext4.zst';

let machine: Scratch;
let shared: string;
let emptyState: string;
beforeAll(() => {
  shared = mkdtempSync(join(tmpdir(), 'slipway-devices-'));
  emptyState = join(shared, 'state.ext4.zst');
  makeEmptyState(emptyState);
});
afterAll(() => rmSync(shared, { recursive: true, force: true }));
beforeEach(() => {
  machine = deviceMachine();
});
afterEach(() => machine.remove());

describe('disk_setup', () => {
  test.each(['gpt', 'mbr'])('an empty disk gets its partitions (%s), once', async (table) => {
    addDisk('vdb', 256);
    const lines = [
      'disk_setup:',
      '  /dev/vdb:',
      `    table_type: ${table}`,
      '    layout: [25, [25, 82], 50]',
    ];
    const first = await runDisks(lines);
    expect(told(first)).toEqual(['disk_setup 4 applied']);
    const listed = JSON.parse(execFileSync('sfdisk', ['--json', device('vdb')], { encoding: 'utf8' })) as {
      partitiontable: { partitions: { size: number; type: string }[] };
    };
    const [disk] = listed.partitiontable.partitions.map(({ size, type }) => [size, type]);
    expect(execFileSync('sfdisk', ['--verify', device('vdb')], { encoding: 'utf8' })).toContain(
      'No errors detected',
    );
    expect(disk).toEqual([63 * 2048, table === 'gpt' ? '0FC63DAF-8483-4772-8E79-3D69D8477DE4' : '83']);
    const again = await runDisks(lines);
    expect([again.changed, told(again)]).toEqual([false, ['disk_setup 4 applied: /dev/vdb is so already']]);
  });

  test('a disk that holds anything stays; `overwrite: true` erases it once, never twice', async () => {
    addDisk('vdb', 128);
    writeFileSync(device('vdb'), 'somebody’s data', { flag: 'r+' });
    const lines = (overwrite: string) => [
      'disk_setup:',
      '  /dev/vdb:',
      '    layout: true',
      `    overwrite: ${overwrite}`,
    ];
    expect(told(await runDisks(lines('false')))).toEqual([
      'disk_setup 4 failed: /dev/vdb holds data of an unknown kind: `overwrite: true` would erase it',
    ]);
    expect(told(await runDisks(lines('true')))).toEqual(['disk_setup 4 applied']);
    // Somebody makes something else of it; the same lines are applied again because another one changed.
    execFileSync('sfdisk', ['-q', device('vdb')], { input: 'label: gpt\n,10M\n,10M\n' });
    syncPartitions('vdb');
    expect(told(await runDisks(lines('true')))).toEqual([
      'disk_setup 4 failed: /dev/vdb was erased once because of these lines, and is not again: `slip config reset` forgets that',
    ]);
  });

  test('our own disk is never touched, whatever is asked', async () => {
    addDisk('vda', 64);
    const applied = await runDisks([
      'disk_setup: { /dev/vda: { layout: true, overwrite: true } }',
      'fs_setup: [{ device: /dev/vda, filesystem: ext4, overwrite: true, partition: none }]',
      'mounts: [[/dev/vda, /var/mnt/x]]',
    ]);
    expect(told(applied)).toEqual([
      'disk_setup 2 refused: this machine runs from that disk: it is never touched',
      'fs_setup 3 refused: this machine runs from that disk: it is never touched',
      'mounts 4 refused: this machine runs from that disk: it is never touched',
    ]);
    expect(
      execFileSync('tr', ['-d', '\\0'], { input: execFileSync('cat', [device('vda')], { maxBuffer: 1e9 }) })
        .length,
    ).toBe(0);
  });
});

describe('fs_setup', () => {
  test('ext4 out of the empty one of the image: whole, as large as the device, with an identity of its own', async () => {
    addDisk('vdb', 300);
    const lines = ['fs_setup: [{ device: /dev/vdb, filesystem: ext4, label: data, partition: none }]'];
    expect(told(await runDisks(lines))).toEqual(['fs_setup 2 applied']);
    expect(() => execFileSync('e2fsck', ['-fn', device('vdb')], { stdio: 'pipe' })).not.toThrow();
    const found = execFileSync('dumpe2fs', ['-h', device('vdb')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(found).toMatch(/volume name:\s+data\n/);
    expect(found).toMatch(new RegExp(`Block count:\\s+${(300 * MIB) / 4096}\n`));
    expect(readDisks(machine.system)[0]?.content).toMatchObject({
      kind: 'known',
      type: 'ext4',
      label: 'data',
    });
    const uuid = /UUID:\s+(\S+)/.exec(found)?.[1];
    const again = await runDisks(lines);
    expect([again.changed, told(again)]).toEqual([
      false,
      ['fs_setup 2 applied: /dev/vdb has one already: it is used as it is'],
    ]);
    addDisk('vdc', 300);
    await runDisks(['fs_setup: [{ device: /dev/vdc, filesystem: ext4, partition: none }]']);
    expect(
      execFileSync('dumpe2fs', ['-h', device('vdc')], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      }),
    ).not.toContain(uuid);
  });

  test.each([
    ['vfat', 'DATA'],
    ['swap', 'data'],
  ])('%s', async (type, label) => {
    addDisk('vdb', 64);
    const applied = await runDisks([
      `fs_setup: [{ device: /dev/vdb, filesystem: ${type}, label: ${label}, partition: none }]`,
    ]);
    expect(told(applied)).toEqual(['fs_setup 2 applied']);
    const seen = execFileSync('blkid', ['-p', '-o', 'export', device('vdb')], { encoding: 'utf8' });
    expect(seen).toContain(`TYPE=${type}\n`);
    expect(seen).toContain(`LABEL=${label}\n`);
    expect(readDisks(machine.system)[0]?.content).toMatchObject({ kind: 'known', type, label });
  });

  test('what is there is only replaced where that is said', async () => {
    addDisk('vdb', 128);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-L', 'old', device('vdb')]);
    const lines = (more: string) => [
      `fs_setup: [{ device: /dev/vdb, filesystem: ext4, label: new, partition: none${more} }]`,
    ];
    expect(told(await runDisks(lines('')))).toEqual([
      "fs_setup 2 failed: /dev/vdb holds ext4 with the label 'old': `overwrite: true` would erase it",
    ]);
    expect(told(await runDisks(lines(', overwrite: true')))).toEqual(['fs_setup 2 applied']);
    expect(readDisks(machine.system)[0]?.content).toMatchObject({ label: 'new' });
  });

  test('wherever the power goes while it is made, the next run makes it', async () => {
    const lines = ['fs_setup: [{ device: /dev/vdb, filesystem: swap, label: s, partition: none }]'];
    let cut = 0;
    for (let after = 0; ; after += 7) {
      machine.remove();
      machine = deviceMachine();
      addDisk('vdb', 4);
      machine.powerAfter = after;
      await runDisks(lines).catch(() => undefined);
      const went = machine.powerAfter <= 0;
      machine.powerAfter = Infinity;
      expect(told(await runDisks(lines))[0], `cut at ${after}`).toMatch(/^fs_setup 2 applied/);
      expect(readDisks(machine.system)[0]?.content).toMatchObject({ type: 'swap', label: 's' });
      if (!went) break;
      cut += 1;
    }
    expect(cut).toBeGreaterThan(3);
  });
});

test('mounts: by label, below /var, checked before; elsewhere refused with a better place', async () => {
  addDisk('vdb', 64);
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-L', 'data', device('vdb')]);
  const applied = await runDisks([
    'mounts:',
    '  - [LABEL=data, /var/mnt/data, auto, "defaults,noatime", "0", "2"]',
    '  - [/dev/vdb, /mnt/data]',
    '  - [/dev/vdz, /var/mnt/z, ext4, "nofail"]',
    '  - [/dev/vdy, /var/mnt/y, ext4, defaults]',
  ]);
  expect(told(applied).map((line) => line.replace(/^mounts \d+ /, ''))).toEqual(
    [
      'applied',
      'failed: the root file system is read-only: mount it below /var/mnt (/mnt/data could be /var/mnt/data)',
      'applied: there is no /dev/vdz: nothing is mounted on /var/mnt/z',
      'failed: there is no /dev/vdy',
    ].map((line) => expect.stringContaining(line) as string),
  );
  const started = machine.started.map((argv) => argv.join(' '));
  expect(started).toContain('/usr/sbin/e2fsck -p /dev/vdb');
  expect(started.find((line) => line.includes(' mount '))).toMatch(
    /^\/usr\/bin\/busybox mount -t ext4 -o noatime,nosuid,nodev \/dev\/vdb \/proc\/\d+\/fd\/\d+\/\.$/,
  );
  expect(existsSync(join(machine.root, 'var/mnt/data'))).toBe(true);
});

test('a swap file is made once, and swapped to at every boot', async () => {
  const lines = ['swap: { filename: /var/swap, size: 8M }'];
  const applied = await machine.run(lines);
  expect(told(applied)).toEqual(['swap 2 applied']);
  expect(statSync(join(machine.root, 'var/swap')).size).toBe(8 * MIB);
  expect(machine.ownership('/var/swap')).toBe('600 0:0');
  expect(
    execFileSync('blkid', ['-p', '-o', 'value', '-s', 'TYPE', join(machine.root, 'var/swap')], {
      encoding: 'utf8',
    }),
  ).toBe('swap\n');
  machine.started.length = 0;
  await machine.run(lines);
  expect(machine.started.map(([, applet]) => applet)).toEqual(['swapon']);
  expect(told(await machine.run(['swap: { filename: /swap.img, size: 8M }']))).toEqual([
    'swap 2 failed: /swap.img: a swap file lies below /var, for example /var/swap',
  ]);
});

async function runDisks(lines: readonly string[]) {
  return machine.run(lines, {}, { disks: readDisks(machine.system) });
}

function device(name: string): string {
  return join(machine.root, 'dev', name);
}

/** A file as a disk, with what /sys says of it. */
function addDisk(name: string, sizeMib: number): void {
  writeFileSync(device(name), '');
  truncateSync(device(name), sizeMib * MIB);
  machine.write(`/sys/devices/${name}/size`, `${(sizeMib * MIB) / 512}\n`);
  machine.write(`/sys/devices/${name}/queue/logical_block_size`, '512\n');
  mkdirSync(join(machine.root, 'sys/class/block'), { recursive: true });
  symlinkSync(`../../devices/${name}`, join(machine.root, 'sys/class/block', name));
}

/** What the kernel does when it reads a table again. */
function syncPartitions(disk: string): void {
  const base = join(machine.root, 'sys/devices', disk);
  execFileSync('sh', ['-c', 'rm -rf "$0"/"$1"[0-9]*', base, disk]);
  execFileSync('sh', ['-c', 'rm -f "$0"/"$1"[0-9]*', join(machine.root, 'dev'), disk]);
  const { partitiontable } = JSON.parse(
    execFileSync('sfdisk', ['--json', device(disk)], { encoding: 'utf8' }),
  ) as {
    partitiontable: { partitions?: { start: number; size: number }[] };
  };
  for (const [index, { start, size }] of (partitiontable.partitions ?? []).entries()) {
    const name = `${disk}${index + 1}`;
    machine.write(`/sys/devices/${disk}/${name}/partition`, `${index + 1}\n`);
    machine.write(`/sys/devices/${disk}/${name}/start`, `${start}\n`);
    machine.write(`/sys/devices/${disk}/${name}/size`, `${size}\n`);
    writeFileSync(device(name), '');
    truncateSync(device(name), size * 512);
  }
}

/** Programs that write to devices are the real ones, on files; the kernel's part is played here. */
function deviceMachine(): Scratch {
  const made = scratch();
  const node = createNodeSystem();
  const spawn = made.system.spawn.bind(made.system);
  const real = ['mkswap', 'mkdosfs', 'dd', 'blockdev', 'e2fsck', 'resize2fs', 'zstd'];
  const system: System = {
    ...made.system,
    spawn: (argv, options = {}) => {
      const name = argv[0] === '/usr/bin/busybox' ? (argv[1] ?? '') : (argv[0]?.split('/').at(-1) ?? '');
      if (!real.includes(name)) return spawn(argv, options);
      // Counts as a change, and is written down.
      spawn(['/usr/bin/busybox', 'true']);
      made.started[made.started.length - 1] = argv;
      if (name === 'blockdev') {
        syncPartitions((argv.at(-1) ?? '').replace('/dev/', ''));
        return node.spawn(['true'], options);
      }
      const rooted = argv.map((word, index) =>
        index === 0 ? (word === '/usr/bin/busybox' ? 'busybox' : name) : rootedWord(made.root, word),
      );
      return node.spawn(rooted, options);
    },
  };
  (made as { system: System }).system = system;
  made.write('/run/slipway/boot/disk', '/dev/vda\n');
  mkdirSync(join(made.root, EMPTY_STATE, '..'), { recursive: true });
  copyFileSync(emptyState, join(made.root, EMPTY_STATE));
  return made;
}

function rootedWord(root: string, word: string): string {
  if (word.startsWith('/proc/')) return word;
  return word.replace(/^((?:of=)?)(\/)/, `$1${root}/`);
}

/** builder/state makes it with the same features. */
function makeEmptyState(path: string): void {
  const image = path.replace('.zst', '');
  const features =
    'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum,metadata_csum_seed';
  execFileSync('sh', [
    '-c',
    `truncate -s 64M "$0" && MKE2FS_CONFIG=/dev/null mke2fs -q -F -b 4096 -I 256 -i 8192 -m 2 -L slipway-state -O ${features} -J size=16 -E lazy_itable_init=0,lazy_journal_init=1,root_owner=0:0,nodiscard,resize=536870912 "$0" && zstd -q --rm "$0" -o "$1"`,
    image,
    path,
  ]);
}
