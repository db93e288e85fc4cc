/** The boot loader's two copies, and the keys of the firmware: after a commit, one after the other, and never the last that works. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signatureList } from '../../../../builder/keys/esl.ts';
import { VENDORS } from '../../../../updater/device/switch/boot-disk.ts';
import { bootOnceThrough, loadOption } from '../../../../updater/device/switch/boot-entry.ts';
import { updateKeys } from '../../../../updater/device/switch/keys.ts';
import { advanceLoader, type LoaderState } from '../../../../updater/device/switch/loader.ts';
import { parseSignatureLists } from '../../../../updater/device/switch/signature-list.ts';
import { memoryDisk, PowerCut, rootHashOf, sha256, type MemoryDisk } from './memory-disk.ts';

const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const BOOT = 'EFI/BOOT/BOOTX64.EFI';
const PLACE = { partition: 1, start: 8192, size: 2_097_152, guid: '01234567-89ab-4cde-8f01-23456789abcd' };

function machine(startedThrough: string): MemoryDisk {
  const disk = memoryDisk({ [SYSTEMD]: 'loader 262', [BOOT]: 'loader 262' });
  startThrough(disk, startedThrough);
  return disk;
}

function startThrough(disk: MemoryDisk, path: string): void {
  const text = `\\${path.replaceAll('/', '\\')}\0`;
  disk.variables.set(`LoaderImageIdentifier-${VENDORS.loader}`, Buffer.from(text, 'utf16le'));
  disk.variables.delete(`BootNext-${VENDORS.firmware}`);
}

function advance(disk: MemoryDisk, nextWorks = true): Promise<LoaderState> {
  return advanceLoader(disk, {
    architecture: 'amd64',
    sha256: sha256('loader 263'),
    bytes: () => Buffer.from('loader 263'),
    bootOnceThrough: async (path) => {
      if (nextWorks) await bootOnceThrough(disk, PLACE, path);
      return nextWorks;
    },
  });
}

const content = (disk: MemoryDisk, path: string): string => Buffer.from(disk.files.get(path)!).toString();
const nextPath = (disk: MemoryDisk): string | undefined => {
  if (!disk.variables.has(`BootNext-${VENDORS.firmware}`)) return undefined;
  const option = Buffer.from(disk.variables.get(`Boot51AA-${VENDORS.firmware}`)!).toString('utf16le');
  return /\\EFI\\[\w\\.-]+/i.exec(option)?.[0]?.slice(1).replaceAll('\\', '/');
};

describe('a new systemd-boot', () => {
  test('comes beside the one that works, is started once, and then takes its place', async () => {
    const disk = machine(BOOT);
    expect(await advance(disk)).toBe('waiting');
    expect([content(disk, SYSTEMD), content(disk, BOOT)]).toEqual(['loader 263', 'loader 262']);
    expect(nextPath(disk)).toBe(SYSTEMD);
    startThrough(disk, SYSTEMD);
    expect(await advance(disk)).toBe('done');
    expect([content(disk, SYSTEMD), content(disk, BOOT)]).toEqual(['loader 263', 'loader 263']);
    expect(await advance(disk)).toBe('done');
  });

  test('that did not start is tried again, and nothing else is changed', async () => {
    const disk = machine(BOOT);
    await advance(disk);
    startThrough(disk, BOOT);
    expect(await advance(disk)).toBe('waiting');
    expect(content(disk, BOOT)).toBe('loader 262');
    expect(nextPath(disk)).toBe(SYSTEMD);
  });

  test('is not written where it could not be tried', async () => {
    const disk = machine(BOOT);
    expect(await advance(disk, false)).toBe('impossible');
    startThrough(disk, 'EFI/other/grub.efi');
    expect(await advance(disk)).toBe('impossible');
    expect(disk.calls).toEqual([]);
  });

  test('failure 27: what a cut rename left as a second name of a copy is not written to', async () => {
    const disk = machine(BOOT);
    disk.files.set('EFI/SLIPWAY/LOADER.NEW', Buffer.from('loader 262'));
    expect(await advance(disk)).toBe('waiting');
    expect(disk.calls.find((call) => call.includes('LOADER.NEW'))).toBe(
      'rename EFI/SLIPWAY/LOADER.NEW EFI/SLIPWAY/PARKED.001',
    );
  });

  test('cut anywhere, a copy that works is what starts next', async () => {
    for (const through of [BOOT, SYSTEMD]) {
      const probe = machine(through);
      if (through === SYSTEMD) probe.files.set(SYSTEMD, Buffer.from('loader 263'));
      await advance(probe);
      const labels = probe.calls.filter((call) => call.startsWith('[')).map((call) => call.slice(1, -1));
      expect(labels.length).toBeGreaterThan(8);
      for (const label of labels) {
        const disk = machine(through);
        if (through === SYSTEMD) disk.files.set(SYSTEMD, Buffer.from('loader 263'));
        disk.cutAt = label;
        await expect(advance(disk)).rejects.toThrow(PowerCut);
        // While one copy is written, the firmware is told to go through the other.
        expect(nextPath(disk), label).toBe(through);
        disk.cutAt = undefined;
        startThrough(disk, through);
        expect(['waiting', 'done'], label).toContain(await advance(disk));
      }
    }
  });
});

test('a load option as the firmware reads it', () => {
  const bytes = Buffer.from(loadOption(PLACE, SYSTEMD));
  expect(bytes.readUInt32LE(0)).toBe(1);
  const nodes = bytes.subarray(bytes.length - bytes.readUInt16LE(4));
  // HD(1,GPT,...): type, subtype, length, then partition, start, size, GUID, GPT, GUID.
  expect([nodes[0], nodes[1], nodes.readUInt16LE(2), nodes.readUInt32LE(4)]).toEqual([4, 1, 42, 1]);
  expect([nodes.readBigUInt64LE(8), nodes.readBigUInt64LE(16)]).toEqual([8192n, 2_097_152n]);
  expect(nodes.subarray(24, 40).toString('hex')).toBe('67452301ab89de4c8f0123456789abcd');
  expect([nodes[40], nodes[41], nodes[42], nodes[43]]).toEqual([2, 2, 4, 4]);
  const length = nodes.readUInt16LE(44);
  expect(nodes.subarray(46, 42 + length).toString('utf16le')).toBe('\\EFI\\systemd\\systemd-bootx64.efi\0');
  expect(nodes.subarray(42 + length)).toEqual(Buffer.from([0x7f, 0xff, 4, 0]));
});

describe('keys', () => {
  const OWNER = '5c1b7c3e-7d0b-4a35-8b0f-2f5d6a1e0c57';
  const authority = Buffer.from('CA');
  const next = Buffer.from('next CA');
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  const signedBy = (leaf: string): { leaf: string; leafTbs: string; issuer: string } => ({
    leaf: digest(Buffer.from(leaf)),
    leafTbs: digest(Buffer.from(`tbs ${leaf}`)),
    issuer: digest(authority),
  });
  const list = (...certificates: Buffer[]): Uint8Array =>
    signatureList(
      OWNER,
      certificates.map((certificate) => ({ type: 'x509' as const, certificate })),
    );
  const trusted = { db: parseSignatureLists(list(authority)), dbx: [] };
  const record = (running: string | null, older: string | null): Parameters<typeof updateKeys>[4] => ({
    committed: {
      ...{ version: '1.2.0', rootHash: rootHashOf('1.2.0'), at: 1 },
      signer: running === null ? null : signedBy(running),
    },
    older: {
      ...{ version: '1.1.0', rootHash: rootHashOf('1.1.0'), stateVersion: 1 },
      signer: older === null ? null : signedBy(older),
    },
  });
  /** EFI_TIME, WIN_CERTIFICATE_UEFI_GUID with a signature that only the firmware would look at, and the new content. */
  const auth = (lists: Uint8Array): Uint8Array => {
    const certificate = Buffer.alloc(24 + 100, 0x30);
    certificate.writeUInt32LE(certificate.length, 0);
    return Buffer.concat([Buffer.alloc(16), certificate, lists]);
  };

  test('a leaf that nothing needs any more is retired', async () => {
    const disk = memoryDisk();
    const update = auth(list(Buffer.from('old leaf')));
    expect(await updateKeys(disk, 'dbx', update, trusted, record('leaf 2', 'leaf 2'))).toEqual({
      state: 'done',
    });
    expect(disk.variables.get(`dbx-${VENDORS.signatures}`)).toEqual(update);
  });

  test.each([
    { who: 'the one that runs', running: 'old leaf', older: 'leaf 2' },
    { who: 'the one to return to', running: 'leaf 2', older: 'old leaf' },
    { who: 'the one to return to, of which it is not known', running: 'leaf 2', older: null },
  ])('a leaf is not retired that signed $who', async ({ running, older }) => {
    const disk = memoryDisk();
    const update = auth(list(Buffer.from('old leaf')));
    expect(await updateKeys(disk, 'dbx', update, trusted, record(running, older))).toMatchObject({
      state: 'waiting',
    });
    expect(disk.variables.size).toBe(0);
  });

  test('a CA is added, and not taken away while it signed what is needed', async () => {
    const disk = memoryDisk();
    const known = record('leaf 2', 'leaf 2');
    expect(await updateKeys(disk, 'db', auth(list(authority, next)), trusted, known)).toEqual({
      state: 'done',
    });
    expect(await updateKeys(disk, 'db', auth(list(next)), trusted, known)).toMatchObject({
      state: 'waiting',
    });
  });

  test('what is no signed variable never reaches the firmware', async () => {
    const disk = memoryDisk();
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(39), Buffer.alloc(100, 0xff)])
      expect(await updateKeys(disk, 'db', bytes, trusted, record('a', 'a'))).toMatchObject({
        state: 'refused',
      });
    expect(disk.variables.size).toBe(0);
  });
});
