/** `slipway inspect` as users call it. */
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../builder/process/run.ts';
import { inspectCommand } from '../../cli/inspect.ts';
import { scratchDirectory } from '../builder/scratch.ts';
import { makeTestDisk, partitionOf } from '../builder/test-disk.ts';
import { testKeys } from '../builder/test-keys.ts';

const directory = scratchDirectory();
const made = await makeTestDisk(join(directory, 'made'));
const keys = await testKeys();
let output = '';

beforeEach(() => {
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text);
    return true;
  });
});

afterEach(() => void vi.restoreAllMocks());

const inspect = (...argv: string[]) => inspectCommand().exitOverride().parseAsync(argv, { from: 'user' });

describe('slipway inspect', () => {
  test('shows a disk: partitions, slots, services, packages, signatures', async () => {
    await inspect(made.disk, '--keys', keys);
    expect(output).toContain('layout 1');
    expect(output).toMatch(/^root-a +1\.0 GiB +1 GiB/m);
    expect(output).toContain(`Slot a: ${made.verity.uuid}, booted by EFI/Linux/test_1.0.0.efi`);
    expect(output).toMatch(/^ +ssh +service +yes +network$/m);
    expect(output).toContain('crun 1.21-1');
    expect(output.match(/trusted by release keys/g)).toHaveLength(3);
  });

  test('--json --verify proves every block of the root', async () => {
    await inspect(made.disk, '--json', '--verify', '--keys', keys);
    expect(JSON.parse(output)).toMatchObject({
      format: '1.0',
      kind: 'disk',
      slots: [
        { name: 'a', intact: true, root: { image: { name: 'test' }, packages: [{ name: 'crun' }] } },
        { name: 'b', state: 'empty' },
      ],
      programs: [{ kind: 'pe' }, { kind: 'pe' }, { kind: 'uki', rootHash: made.verity.rootHash }],
      problems: [],
    });
  });

  test.each([
    ['a byte of the root', partitionOf('root-a').offsetBytes + 1_000_000, /Slot a: .*DAMAGED/],
    ['a byte of the verity tree', partitionOf('verity-a').offsetBytes + 4096, /Slot a: .*DAMAGED/],
  ])('--verify fails after %s was changed', async (_, offset, expected) => {
    const disk = await changed(offset);
    await expect(inspect(disk, '--verify')).rejects.toMatchObject({ code: 'inspect.damaged' });
    expect(output).toMatch(expected);
  });

  test('says what is damaged, and shows the rest', async () => {
    await inspect(await changed(partitionOf('esp').offsetBytes + 510));
    expect(output).toContain('PROBLEM: esp: not a usable FAT32 file system');
    expect(output).toContain('Slot a:');
  });

  test('--verify fails for what other keys signed', async () => {
    const uki = join(directory, 'test.efi');
    await writeFile(uki, made.uki);
    await inspect(uki, '--verify', '--keys', keys);
    expect(output).toContain('UKI of test 1.0.0, amd64');
    await expect(inspect(uki, '--verify', '--keys', await testKeys('correct horse'))).rejects.toMatchObject({
      code: 'inspect.damaged',
    });
    expect(output).toContain('NOT trusted by these keys');
  });

  test('--verify wants something that can be proven', async () => {
    const root = join(made.directory, 'root.erofs');
    await expect(inspect(root, '--verify')).rejects.toMatchObject({ code: 'usage.verify' });
  });
});

/** A copy of the disk with one byte flipped. */
async function changed(offset: number): Promise<string> {
  const path = join(directory, `changed${offset}.raw`);
  await run(['cp', '--sparse=always', made.disk, path]);
  const file = await open(path, 'r+');
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offset);
  await file.write(Buffer.from([buffer.readUInt8(0) ^ 1]), 0, 1, offset);
  await file.close();
  return path;
}
