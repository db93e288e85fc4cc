import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DLL_NX_COMPAT, parsePe, sectionData } from '../../../builder/pe/parse.ts';
import { osRelease, parseOsRelease } from '../../../builder/uki/os-release.ts';
import { makeUki } from '../../../builder/uki/uki.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const toolbox = await lockedToolbox();
const stub = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/linuxx64.efi.stub'));
/** Any PE image will do for the kernel's place. */
const kernel = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/systemd-bootx64.efi'));
const inputs = {
  stub,
  kernel,
  initrd: Buffer.alloc(70_001, 'initrd'),
  commandLine: 'console=ttyS0 quiet',
  osRelease: osRelease({ name: 'minimal', version: '1.2.0', architecture: 'amd64' }),
  uname: '6.12.1-cloud-amd64',
};
const directory = scratchDirectory();

describe('a UKI', () => {
  test('holds what it was made of, in the order of ukify', () => {
    const pe = parsePe(makeUki(inputs));
    const added = pe.sections.slice(parsePe(stub).sections.length).map((section) => section.name);
    expect(added).toEqual(['.osrel', '.cmdline', '.uname', '.linux', '.initrd']);
    expect(Buffer.from(sectionData(pe, '.cmdline') ?? []).toString()).toBe(inputs.commandLine);
    expect(Buffer.from(sectionData(pe, '.initrd') ?? [])).toEqual(inputs.initrd);
    expect(Buffer.from(sectionData(pe, '.linux') ?? []).subarray(0, kernel.length)).toEqual(kernel);
  });

  test('gives the kernel the memory that its own header asks for', () => {
    const linux = parsePe(makeUki(inputs)).sections.find((section) => section.name === '.linux');
    expect(linux?.virtualSize).toBe(Math.max(kernel.length, parsePe(kernel).sizeOfImage));
  });

  test('depends on its inputs alone', () => {
    expect(Buffer.from(makeUki(inputs)).equals(makeUki(inputs))).toBe(true);
  });

  test('claims NX only when its kernel does', () => {
    const old = Buffer.from(kernel);
    const { optionalOffset, dllCharacteristics } = parsePe(kernel);
    old.writeUInt16LE(dllCharacteristics & ~DLL_NX_COMPAT, optionalOffset + 70);
    const nx = (bytes: Uint8Array): number => parsePe(bytes).dllCharacteristics & DLL_NX_COMPAT;
    expect(nx(makeUki(inputs))).toBe(DLL_NX_COMPAT);
    expect(nx(makeUki({ ...inputs, kernel: old }))).toBe(0);
  });

  test('is refused for two architectures', () => {
    const foreign = Buffer.from(kernel);
    foreign.writeUInt16LE(0xaa64, parsePe(kernel).coffOffset);
    expect(() => makeUki({ ...inputs, kernel: foreign })).toThrowError(
      expect.objectContaining({ code: 'uki.machine' }),
    );
  });

  test('is a PE image for binutils too', async () => {
    const path = join(directory, 'test.efi');
    await writeFile(path, makeUki(inputs));
    const headers = execFileSync('objdump', ['-h', path], { encoding: 'utf8' });
    for (const name of ['.osrel', '.cmdline', '.uname', '.linux', '.initrd']) expect(headers).toContain(name);
    execFileSync('objcopy', ['-O', 'binary', '--only-section=.cmdline', path, `${path}.cmdline`]);
    const dumped = await readFile(`${path}.cmdline`, 'latin1');
    expect(dumped.slice(0, inputs.commandLine.length)).toBe(inputs.commandLine);
  });
});

describe('os-release', () => {
  test('keeps IMAGE_ID the same in every image, so that versions alone order them', () => {
    const fields = parseOsRelease(inputs.osRelease);
    expect(Object.fromEntries(fields)).toMatchObject({
      ID: 'slipway',
      IMAGE_ID: 'slipway',
      IMAGE_VERSION: '1.2.0',
      VARIANT_ID: 'minimal',
      PRETTY_NAME: 'Slipway minimal 1.2.0',
    });
  });

  test('is what a shell reads', () => {
    const script = `${inputs.osRelease}printf %s "$IMAGE_ID/$IMAGE_VERSION/$VARIANT_ID/$PRETTY_NAME"`;
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toBe(
      'slipway/1.2.0/minimal/Slipway minimal 1.2.0',
    );
  });
});
