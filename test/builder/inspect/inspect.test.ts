import fc from 'fast-check';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pack, type Pack } from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { signPe } from '../../../builder/authenticode/sign.ts';
import { makeErofs } from '../../../builder/erofs/erofs.ts';
import { readErofs } from '../../../builder/erofs/read.ts';
import { readFat } from '../../../builder/esp/read.ts';
import { writeEsp } from '../../../builder/esp/write.ts';
import { inspectArtifact, type Inspection } from '../../../builder/inspect/inspect.ts';
import { sourceOf } from '../../../builder/inspect/source.ts';
import { inspectionText } from '../../../builder/inspect/text.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { osRelease } from '../../../builder/uki/os-release.ts';
import { makeUki } from '../../../builder/uki/uki.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const keys = await loadKeys(await testKeys());
const efi = (name: string): Promise<Buffer> => readFile(toolbox.file(`/usr/lib/systemd/boot/efi/${name}`));
const uki = makeUki({
  stub: await efi('linuxx64.efi.stub'),
  kernel: await efi('systemd-bootx64.efi'),
  initrd: Buffer.alloc(10_000, 1),
  commandLine: `quiet roothash=${'12'.repeat(32)}`,
  osRelease: osRelease({ name: 'minimal', version: '1.2.0', architecture: 'amd64' }),
  uname: '6.12.1',
});
const anchors = [
  { name: 'release', certificate: keys.db.certificate },
  { name: 'debug', certificate: keys.sets.debug.db.certificate },
];

async function inspectBytes(bytes: Uint8Array): Promise<Inspection> {
  const path = join(directory, 'artifact');
  await writeFile(path, bytes);
  return inspectArtifact(path, { anchors });
}

async function rootWith(add: (tar: Pack) => void): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: './', type: 'directory', mode: 0o755 });
  for (const name of ['usr', 'usr/lib', 'usr/lib/slipway'])
    tar.entry({ name: `./${name}/`, type: 'directory' });
  add(tar);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  const path = join(directory, 'root.tar');
  await writeFile(path, Buffer.concat(chunks));
  await makeErofs(path, `${path}.erofs`, { toolbox, uuid: '00000000-0000-8000-8000-000000000001', epoch: 0 });
  return readFile(`${path}.erofs`);
}

describe('inspecting a UKI', () => {
  test('shows image, kernel, command line, root hash, signer, and who trusts it', async () => {
    const signed = await inspectBytes(await signPe(uki, keys.uki));
    expect(signed).toMatchObject({
      kind: 'uki',
      name: 'minimal',
      version: '1.2.0',
      architecture: 'amd64',
      kernel: '6.12.1',
      rootHash: '12'.repeat(32),
      signatures: [{ signer: 'O=Slipway, CN=image signing 1', valid: true, trustedBy: ['release'] }],
    });
    expect(inspectionText(signed)).toContain('trusted by release keys');
    expect(await inspectBytes(await signPe(uki, keys.debug))).toMatchObject({
      signatures: [{ valid: true, trustedBy: ['debug'] }],
    });
  });

  test('says so when it is not signed', async () => {
    const unsigned = await inspectBytes(uki);
    expect(unsigned).toMatchObject({ kind: 'uki', signatures: [] });
    expect(inspectionText(unsigned)).toMatch(/signature +NONE/);
  });

  test('says so when its command line was changed after signing', async () => {
    const changed = Buffer.from(await signPe(uki, keys.uki));
    changed.write('QUIET', changed.indexOf('quiet'));
    const report = await inspectBytes(changed);
    expect(report).toMatchObject({
      signatures: [{ valid: false, problems: ['the image was changed after signing'] }],
    });
    expect(inspectionText(report)).toContain('INVALID: the image was changed after signing');
  });
});

describe('inspecting a root', () => {
  const machine = {
    format: '1.0',
    image: { name: 'minimal', version: '1.2.0', architecture: 'amd64' },
    services: [
      {
        name: 'ssh',
        type: 'service',
        gate: true,
        dependsOn: [{ service: 'network', condition: 'service_healthy' }],
      },
    ],
  };

  test('shows services and packages', async () => {
    const bytes = await rootWith((tar) => {
      tar.entry({ name: './usr/lib/slipway/machine.json' }, JSON.stringify(machine));
      tar.entry(
        { name: './usr/lib/slipway/packages.json' },
        JSON.stringify([{ name: 'crun', version: '1.21-1' }]),
      );
    });
    const report = await inspectBytes(bytes);
    expect(report).toMatchObject({
      kind: 'root',
      image: machine.image,
      services: [{ name: 'ssh', gate: true, dependsOn: ['network'] }],
      packages: [{ name: 'crun', version: '1.21-1' }],
      problems: [],
    });
    expect(inspectionText(report)).toContain('crun 1.21-1');
  });

  test('that is not ours says what is missing', async () => {
    const report = await inspectBytes(
      await rootWith((tar) => tar.entry({ name: './usr/lib/slipway/machine.json' }, '{')),
    );
    expect(report).toMatchObject({
      kind: 'root',
      problems: [
        'its /usr/lib/slipway/machine.json is not what this version of slipway knows',
        'it has no /usr/lib/slipway/packages.json',
      ],
    });
  });

  test('of hostile bytes ends in a report or a clear error', async () => {
    const bytes = await rootWith((tar) => {
      tar.entry({ name: './usr/lib/slipway/machine.json' }, JSON.stringify(machine));
    });
    await fuzz(bytes, 1024, bytes.length, async (source) => {
      const erofs = await readErofs(source);
      await erofs.readFile('/usr/lib/slipway/machine.json');
      await erofs.list('/usr/lib');
    });
  });
});

describe('inspecting an EFI system partition', () => {
  test('of hostile bytes ends in a list of files or a clear error', async () => {
    const path = join(directory, 'esp');
    const sizeBytes = 40 * 1024 * 1024;
    await writeFile(path, '');
    await truncate(path, sizeBytes);
    await writeEsp(path, [{ path: 'EFI/Linux/some_1.0.0.efi', bytes: Buffer.alloc(20_000, 1) }], {
      toolbox,
      offsetBytes: 0,
      sizeBytes,
      // Fewer than 65525 clusters are FAT16 to everybody else; 512-byte sectors with 4 KiB clusters need 256 MiB.
      sectorSize: 512,
      volumeId: '01234567',
      epoch: 1_700_000_000,
    });
    const bytes = await readFile(path);
    expect((await readFat(sourceOf(bytes))).map((file) => file.path)).toEqual(['EFI/Linux/some_1.0.0.efi']);
    const read = async (source: ReturnType<typeof sourceOf>): Promise<void> => {
      for (const file of await readFat(source)) await file.read();
    };
    await fuzz(bytes, 0, 96, read);
    // The first FAT and the directories.
    await fuzz(bytes, 32 * 512, 32 * 512 + 64, read);
    const directories = bytes.indexOf('EFI        ', 0, 'latin1');
    await fuzz(bytes, directories, directories + 3 * 4096, read);
  });
});

describe('inspecting anything else', () => {
  test.each([
    ['an empty file', Buffer.alloc(0), 'inspect.unknown'],
    ['a text', Buffer.from('Hello\n'), 'inspect.unknown'],
    ['zeros', Buffer.alloc(100_000), 'inspect.unknown'],
    ['a truncated UKI', uki.subarray(0, 3000), 'pe.invalid'],
    ['a truncated verity tree', Buffer.from('verity\0\0'), 'inspect.unknown'],
  ])('is refused: %s', async (_, bytes, code) => {
    await expect(inspectBytes(bytes)).rejects.toMatchObject({ code });
  });

  test('that does not exist is refused', async () => {
    await expect(inspectArtifact(join(directory, 'missing'))).rejects.toMatchObject({
      code: 'inspect.unreadable',
    });
  });
});

/** Sets random bytes between two offsets, and cuts at random places: whatever comes of it must be no crash and no hang. */
async function fuzz(
  original: Buffer,
  from: number,
  to: number,
  read: (source: ReturnType<typeof sourceOf>) => Promise<void>,
): Promise<void> {
  const change = fc.tuple(fc.integer({ min: from, max: to - 1 }), fc.integer({ min: 0, max: 255 }));
  const bytes = Buffer.from(original);
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 12 }),
      fc.option(fc.nat(original.length), { freq: 4 }),
      async (changes, length) => {
        const before = changes.map(([offset]) => [offset, bytes.readUInt8(offset)] as const);
        for (const [offset, value] of changes) bytes.writeUInt8(value, offset);
        try {
          await read(sourceOf(bytes.subarray(0, length ?? bytes.length)));
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError);
        } finally {
          for (const [offset, value] of [...before].reverse()) bytes.writeUInt8(value, offset);
        }
      },
    ),
    { numRuns: 150 },
  );
}
