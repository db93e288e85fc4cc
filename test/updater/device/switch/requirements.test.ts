/** Releases that this machine cannot run are refused before anything is fetched or written. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { signatureList } from '../../../../builder/keys/esl.ts';
import { memoryMiB } from '../../../../updater/device/switch/machine-facts.ts';
import {
  demandRequirements,
  unmetRequirements,
  type MachineFacts,
} from '../../../../updater/device/switch/requirements.ts';
import {
  distrust,
  isRevoked,
  parseSignatureLists,
} from '../../../../updater/device/switch/signature-list.ts';
import { manifestOf } from './memory-disk.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const OWNER = '5c1b7c3e-7d0b-4a35-8b0f-2f5d6a1e0c57';
const authority = Buffer.from('the certificate of our CA, as DER');
const stranger = Buffer.from('the certificate of somebody else');
const leaf = Buffer.from('the certificate of the leaf');
const signer = {
  leaf: sha256(leaf),
  leafTbs: sha256(Buffer.from('tbs of the leaf')),
  issuer: sha256(authority),
};
const manifest = { ...manifestOf('1.1.0'), uki: { ...manifestOf('1.1.0').uki, signer } };
const facts: MachineFacts = {
  memoryMiB: 496,
  layoutVersion: 1,
  stateVersion: 1,
  dataBytes: 1024 * 1024 * 1024,
  treeBytes: 64 * 1024 * 1024,
  trusted: {
    db: parseSignatureLists(signatureList(OWNER, [{ type: 'x509', certificate: authority }])),
    dbx: [],
  },
};
const codes = (change: Partial<typeof manifest>, machine: Partial<MachineFacts> = {}): string[] =>
  unmetRequirements({ ...manifest, ...change }, { ...facts, ...machine }).map(({ code }) => code);

/** A list of digests of certificates' to-be-signed parts, each with its time of revocation: what a `dbx` update holds. */
function revocations(...digests: string[]): Uint8Array {
  const header = Buffer.alloc(28);
  header.set(Buffer.from('92a4d23bc0967940b420fcf98ef103ed', 'hex'));
  header.writeUInt32LE(28 + digests.length * 64, 16);
  header.writeUInt32LE(64, 24);
  return Buffer.concat([
    header,
    ...digests.map((digest) =>
      Buffer.concat([Buffer.alloc(16), Buffer.from(digest, 'hex'), Buffer.alloc(16)]),
    ),
  ]);
}

test('a release for this machine has nothing in its way', () => {
  expect(codes({})).toEqual([]);
});

test('failure 26: a UKI that the firmware has no memory for, or that it would not trust', () => {
  expect(codes({ minMemoryMiB: 544 })).toEqual([]);
  expect(codes({ minMemoryMiB: 768 })).toEqual(['memory']);
  const foreign = parseSignatureLists(signatureList(OWNER, [{ type: 'x509', certificate: stranger }]));
  expect(codes({}, { trusted: { db: foreign, dbx: [] } })).toEqual(['signer']);
  expect(codes({}, { trusted: undefined })).toEqual([]);
  expect(() => demandRequirements(manifest, { ...facts, trusted: { db: [], dbx: [] } })).toThrow(
    expect.objectContaining({ code: 'switch.signer' }) as Error,
  );
});

test('a disk of another layout, slots that are too small, state that is newer', () => {
  expect(codes({ layoutVersions: [2, 3] })).toEqual(['layout']);
  expect(codes({}, { dataBytes: 4096 })).toEqual(['slot']);
  expect(codes({}, { treeBytes: 8192 })).toEqual([]);
  expect(codes({}, { treeBytes: 4096 })).toEqual(['slot']);
  expect(codes({}, { stateVersion: 2 })).toEqual(['state']);
});

test('a leaf that is retired is told by the digest of its to-be-signed part, and by itself', () => {
  const retired = parseSignatureLists(revocations(sha256(Buffer.from('another')), signer.leafTbs));
  expect(distrust(signer, { ...facts.trusted!, dbx: retired })).toMatch(/revoked/);
  const banned = parseSignatureLists(signatureList(OWNER, [{ type: 'x509', certificate: leaf }]));
  expect(isRevoked(signer, banned)).toBe(true);
  expect(isRevoked(signer, parseSignatureLists(revocations(sha256(Buffer.from('another')))))).toBe(false);
});

test('broken lists are read as far as they go, and no further', () => {
  const whole = signatureList(OWNER, [
    { type: 'x509', certificate: authority },
    { type: 'sha256', digest: Buffer.alloc(32, 7) },
  ]);
  expect(parseSignatureLists(whole).map(({ type }) => type)).toEqual(['certificate', 'image-sha256']);
  for (let length = 0; length < whole.length; length++)
    expect(parseSignatureLists(whole.subarray(0, length)).length).toBeLessThan(2);
  const endless = Buffer.from(whole);
  endless.writeUInt32LE(0, 16);
  expect(parseSignatureLists(endless)).toEqual([]);
  endless.writeUInt32LE(0xffffffff, 16);
  expect(parseSignatureLists(endless)).toEqual([]);
});

test('memory is what the firmware gave, not what the kernel left', () => {
  const iomem =
    '00000000-00000fff : Reserved\n00001000-0009ffff : System RAM\n00100000-1ee9ffff : System RAM\n  01000000-01ffffff : Kernel code\n';
  expect(memoryMiB(iomem, '')).toBe(494);
  expect(memoryMiB('00000000-00000000 : System RAM\n', 'MemTotal:  460000 kB\n')).toBe(449);
});
