import { mkdir, open, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { readFacts, UNFINISHED, type InstallDisk } from '../../../host/install/facts.ts';
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { createNodeSystem } from '../../../system/node.ts';
import type { System } from '../../../system/system.ts';
import { scratchDirectory } from '../../builder/scratch.ts';

const directory = scratchDirectory();
const MIB = 1024 * 1024;
const SIZE = 8 * MIB;
const GPT = 'EFI PART';

/** A machine whose files lie in a folder. */
function machineIn(root: string): System {
  const system = createNodeSystem();
  return {
    ...system,
    readText: (path) => system.readText(root + path),
    list: (path) => system.list(root + path),
    open: (path, options) => system.open(root + path, options),
  };
}

let count = 0;

/** The one disk of a machine, with bytes at places. */
async function diskWith(
  bytes: Readonly<Record<number, string>>,
  sysfs: Readonly<Record<string, string | Uint8Array>> = {},
): Promise<InstallDisk | undefined> {
  const root = join(directory, String(count++));
  const put = async (path: string, content: string | Uint8Array): Promise<string> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
    return join(root, path);
  };
  await put(MACHINE_PATHS.description, JSON.stringify({ image: { architecture: 'amd64' } }));
  await put('/sys/block/sda/size', String(SIZE / 512));
  await put('/sys/block/sda/queue/logical_block_size', '512\n');
  for (const [name, content] of Object.entries(sysfs)) await put(`/sys/block/sda/${name}`, content);
  const device = await put('/dev/sda', '');
  await truncate(device, SIZE);
  const file = await open(device, 'r+');
  for (const [offset, text] of Object.entries(bytes)) await file.write(text, Number(offset));
  await file.close();
  return (await readFacts(machineIn(root))).disks[0];
}

test.each([
  ['nothing', {}, false],
  ['what is in its middle alone', { [3 * MIB]: 'x' }, false],
  ['a table', { 512: GPT }, true],
  ['a byte at the end of its first MiB', { [MIB - 1]: 'x' }, true],
  ['a copy of a table', { [SIZE - 512]: GPT }, true],
  ['what an interrupted installation left', { [UNFINISHED.offset]: UNFINISHED.text }, false],
  // It was cut between the copy and the table.
  ['that, and a copy of a table', { [UNFINISHED.offset]: UNFINISHED.text, [SIZE - 512]: GPT }, false],
  ['that, and a table: it came to its end', { [UNFINISHED.offset]: UNFINISHED.text, 512: GPT }, true],
  ['that, and something behind', { [UNFINISHED.offset]: UNFINISHED.text, [MIB - 512]: 'x' }, true],
  ['half of that', { [UNFINISHED.offset]: UNFINISHED.text.slice(0, 9) }, true],
] as const)('a disk with %s', async (_what, bytes, hasData) => {
  expect((await diskWith(bytes))?.hasData).toBe(hasData);
});

test.each([
  ['virtio', { serial: 'V1\n' }, 'V1'],
  ['nvme', { 'device/serial': 'N1   \n' }, 'N1'],
  ['SATA, SAS, USB', { 'device/vpd_pg80': Buffer.from('\0\x80\0\x06  S 1x', 'latin1') }, 'S 1x'],
  ['none', {}, ''],
])('the serial number of a disk: %s', async (_bus, sysfs, serial) => {
  expect((await diskWith({}, sysfs))?.serial).toBe(serial);
});
