/** Who signed a boot loader or a UKI, as the machine reads it from the file; Node's own reader of certificates is the oracle. */
import { X509Certificate, createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readSignatures } from '../../../../builder/authenticode/read.ts';
import { removeSignatures, signPe } from '../../../../builder/authenticode/sign.ts';
import { parsePe } from '../../../../builder/pe/parse.ts';
import { loadKeys } from '../../../../builder/keys/load.ts';
import {
  imageCertificates,
  type ImageCertificate,
} from '../../../../updater/device/switch/pe-certificates.ts';
import { distrustImage, parseSignatureLists } from '../../../../updater/device/switch/signature-list.ts';
import { lockedToolbox } from '../../../builder/locked-toolbox.ts';
import { testKeys } from '../../../builder/test-keys.ts';

const keys = await loadKeys(await testKeys());
const toolbox = await lockedToolbox();
const loader = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/systemd-bootx64.efi'));
const unsigned = removeSignatures(loader);
const signed = await signPe(unsigned, keys.uki);
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function read(image: Uint8Array): readonly ImageCertificate[] | undefined {
  return imageCertificates((offset, length) => image.subarray(offset, offset + length));
}

test('the leaf and its CA; none where it is not signed', () => {
  const wanted = readSignatures(signed)[0]!.certificates.map(({ raw }) => digest(raw));
  expect(wanted.length).toBe(2);
  expect(read(signed)?.map((certificate) => certificate.digest)).toEqual(wanted);
  expect(read(signed)?.[0]?.digest).toBe(digest(keys.uki.certificate));
  expect(read(unsigned)).toEqual([]);
});

test('the to-be-signed part is what its issuer signed', () => {
  const { raw } = new X509Certificate(keys.uki.certificate);
  // SEQUENCE { tbsCertificate SEQUENCE, ... }: both with two bytes of length.
  const tbs = raw.subarray(4, 4 + 4 + raw.readUInt16BE(6));
  expect(read(signed)?.[0]?.tbs).toBe(digest(tbs));
});

test('with two signatures, who made either', async () => {
  const other = Buffer.from(await signPe(unsigned, keys.debug));
  const { offset, size } = parsePe(other).security!;
  const twice = Buffer.concat([signed, other.subarray(offset, offset + size)]);
  // PE32+: the fifth directory stands 112 + 4 * 8 bytes into the optional header.
  const directory = twice.readUInt32LE(0x3c) + 24 + 112 + 32;
  twice.writeUInt32LE(twice.readUInt32LE(directory + 4) + size, directory + 4);
  expect(read(twice)?.length).toBe(4);
});

test('a machine trusts it by its CA, until the leaf is retired', () => {
  const certificates = read(signed)!;
  const db = parseSignatureLists(keys.db.esl);
  expect(distrustImage(certificates, { db, dbx: [] })).toBeUndefined();
  expect(distrustImage(certificates, { db: parseSignatureLists(keys.kek.esl), dbx: [] })).toMatch(/db/);
  const dbx = [{ type: 'certificate' as const, digest: digest(keys.uki.certificate) }];
  expect(distrustImage(certificates, { db, dbx })).toMatch(/dbx/);
  expect(distrustImage([], { db, dbx: [] })).toMatch(/db/);
});

test('whatever is done to its bytes, it is read or it is not: never more than its table, never an accident', () => {
  expect(read(new Uint8Array(0))).toBeUndefined();
  expect(read(Buffer.alloc(10_000, 0xff))).toBeUndefined();
  expect(read(signed.subarray(0, signed.length - 100))).toBeUndefined();
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(signed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (changes, inTable) => {
        const image = Uint8Array.from(signed);
        for (const [at, byte] of changes) image[inTable ? image.length - 1 - (at % 3000) : at % 600] = byte;
        const certificates = read(image);
        expect(certificates === undefined || certificates.length < 50).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
