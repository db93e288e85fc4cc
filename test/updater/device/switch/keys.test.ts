/** What is added to the keys of the firmware: never such that something that may be started could not be any more. */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../../../spec/error.ts';
import { signatureList } from '../../../../builder/keys/esl.ts';
import { VENDORS } from '../../../../updater/device/switch/boot-disk.ts';
import type { BootFile } from '../../../../updater/device/switch/boot-files.ts';
import { updateKeys, type KeyUpdate } from '../../../../updater/device/switch/keys.ts';
import type { KeyVariable } from '../../../../updater/device/switch/record-content.ts';
import { memoryDisk, type MemoryDisk } from './memory-disk.ts';

const OWNER = '5c1b7c3e-7d0b-4a35-8b0f-2f5d6a1e0c57';
const OLD_LEAF = Buffer.from('old leaf');
const AUTHORITY = Buffer.from('CA');
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const list = (...certificates: Buffer[]): Uint8Array =>
  signatureList(
    OWNER,
    certificates.map((certificate) => ({ type: 'x509' as const, certificate })),
  );
/** EFI_TIME, WIN_CERTIFICATE_UEFI_GUID with a signature that only the firmware would look at, and what is added. */
const auth = (lists: Uint8Array): Uint8Array => {
  const certificate = Buffer.alloc(24 + 100, 0x30);
  certificate.writeUInt32LE(certificate.length, 0);
  return Buffer.concat([Buffer.alloc(16), certificate, lists]);
};
const signedBy = (path: string, ...certificates: Buffer[]): BootFile => ({
  path,
  certificates: certificates.map((certificate) => ({
    digest: digest(certificate),
    tbs: digest(Buffer.concat([Buffer.from('tbs '), certificate])),
  })),
});
const NEW = Buffer.from('leaf 2');
const GOOD: readonly BootFile[] = [
  signedBy('EFI/BOOT/BOOTX64.EFI', NEW, AUTHORITY),
  signedBy('EFI/Linux/minimal_1.2.0.efi', NEW, AUTHORITY),
];
const RETIRE = auth(list(OLD_LEAF));

/** Firmware that adds what it is given to what it has, once, as UEFI wants it of EFI_VARIABLE_APPEND_WRITE. */
function firmware(variables: Readonly<Record<string, Uint8Array>> = {}): MemoryDisk {
  const disk = memoryDisk();
  for (const [name, bytes] of Object.entries(variables))
    disk.variables.set(`${name}-${VENDORS.signatures}`, bytes);
  disk.writeVariable = ({ name, vendor }, bytes, options) => {
    if (options?.attributes !== 0x67) throw new SlipwayError('switch.variable', 'replaces what is there');
    disk.calls.push(`append ${name}`);
    const before = disk.variables.get(`${name}-${vendor}`) ?? new Uint8Array();
    disk.variables.set(`${name}-${vendor}`, Buffer.concat([before, bytes.subarray(16 + 124)]));
    return Promise.resolve();
  };
  return disk;
}

function update(
  disk: MemoryDisk,
  variable: KeyVariable,
  bytes: Uint8Array,
  files: readonly BootFile[] = GOOD,
  isSealed = false,
): Promise<KeyUpdate> {
  return updateKeys(disk, variable, bytes, { bootFiles: () => Promise.resolve(files), isSealed });
}

describe('a leaf is retired', () => {
  test('that nothing needs any more; what the vendor retired stays; once more changes nothing', async () => {
    const vendors = list(Buffer.from('of the vendor'));
    const disk = firmware({ dbx: vendors });
    expect(await update(disk, 'dbx', RETIRE)).toEqual({ state: 'done' });
    const wanted = Buffer.concat([vendors, list(OLD_LEAF)]);
    expect(disk.variables.get(`dbx-${VENDORS.signatures}`)).toEqual(wanted);
    expect(await update(disk, 'dbx', RETIRE)).toEqual({ state: 'done' });
    expect(disk.calls).toEqual(['append dbx']);
  });

  test.each([
    { who: 'the boot loader', files: [signedBy('EFI/BOOT/BOOTX64.EFI', OLD_LEAF, AUTHORITY), GOOD[1]!] },
    { who: 'a UKI', files: [...GOOD, signedBy('EFI/Linux/minimal_1.1.0.efi', OLD_LEAF, AUTHORITY)] },
    {
      who: 'something unreadable',
      files: [...GOOD, { path: 'EFI/SLIPWAY/UKI.CPY', certificates: undefined }],
    },
  ])('never while it signed $who: the reason names the file', async ({ files }) => {
    const disk = firmware();
    const result = await update(disk, 'dbx', RETIRE, files);
    expect(result).toMatchObject({ state: 'waiting' });
    expect(result.state !== 'done' && result.why).toContain(
      files.find(({ certificates }) => certificates?.[0]?.digest !== digest(NEW))!.path,
    );
    expect(disk.calls).toEqual([]);
  });

  test('never its CA, while that issued the leaf of what is needed', async () => {
    const disk = firmware();
    expect(await update(disk, 'dbx', auth(list(AUTHORITY)))).toMatchObject({ state: 'waiting' });
    expect(disk.calls).toEqual([]);
  });
});

test('a CA and a key exchange key are added, each to the variable of its vendor', async () => {
  const disk = firmware({ db: list(AUTHORITY) });
  expect(await update(disk, 'db', auth(list(Buffer.from('next CA'))))).toEqual({ state: 'done' });
  expect(await update(disk, 'KEK', auth(list(Buffer.from('next KEK'))))).toEqual({ state: 'done' });
  expect([...disk.variables.keys()]).toEqual([`db-${VENDORS.signatures}`, `KEK-${VENDORS.firmware}`]);
});

test('nothing is changed where the TPM would not open the state partition any more', async () => {
  const disk = firmware();
  for (const variable of ['KEK', 'db', 'dbx'] as const)
    expect(await update(disk, variable, RETIRE, GOOD, true)).toMatchObject({ state: 'waiting' });
  expect(disk.calls).toEqual([]);
});

describe('hostile updates', () => {
  const image = signatureList(OWNER, [{ type: 'sha256', digest: Buffer.alloc(32) }]);
  const torn = Buffer.concat([list(OLD_LEAF), Buffer.alloc(30, 0xff)]);
  const endless = Buffer.from(list(OLD_LEAF));
  endless.writeUInt32LE(0, 16);
  test.each([
    { what: 'nothing', bytes: Buffer.alloc(0) },
    { what: 'too little', bytes: Buffer.alloc(39) },
    { what: 'noise', bytes: Buffer.alloc(100, 0xff) },
    { what: 'no list', bytes: auth(Buffer.alloc(0)) },
    { what: 'a digest of an image, whose consequences are not known here', bytes: auth(image) },
    { what: 'a list that is torn', bytes: auth(torn) },
    { what: 'a list without a length', bytes: auth(endless) },
    { what: 'more than firmware takes', bytes: auth(list(Buffer.alloc(100_000))) },
  ])('$what never reaches the firmware', async ({ bytes }) => {
    const disk = firmware();
    for (const variable of ['db', 'dbx'] as const)
      expect(await update(disk, variable, bytes)).toMatchObject({ state: 'refused' });
    expect(disk.calls).toEqual([]);
  });

  test('firmware that refuses, and firmware that forgets, are said', async () => {
    const refusing = firmware();
    refusing.writeVariable = () => Promise.reject(new SlipwayError('switch.variable', 'no'));
    expect(await update(refusing, 'dbx', RETIRE)).toEqual({
      state: 'refused',
      why: 'the firmware refuses the update of dbx',
    });
    const forgetful = firmware();
    forgetful.writeVariable = () => Promise.resolve();
    expect(await update(forgetful, 'db', RETIRE)).toEqual({
      state: 'refused',
      why: 'the firmware does not keep the update of db',
    });
  });
});
