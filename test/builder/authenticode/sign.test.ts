import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { authenticodeDigest } from '../../../builder/authenticode/digest.ts';
import { isTrustedBy, readSignatures } from '../../../builder/authenticode/read.ts';
import { removeSignatures, signPe } from '../../../builder/authenticode/sign.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { appendSections } from '../../../builder/pe/append.ts';
import { parsePe } from '../../../builder/pe/parse.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const directory = scratchDirectory();
const path = await testKeys();
const keys = await loadKeys(path);
const toolbox = await lockedToolbox();
const loader = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/systemd-bootx64.efi'));
let signed: Buffer;

beforeAll(async () => {
  signed = Buffer.from(await signPe(loader, keys.uki));
});

function sbverify(certificate: string, image: string): void {
  execFileSync('sbverify', ['--cert', join(path, certificate), image], { stdio: 'pipe' });
}

describe('a signed PE image', () => {
  test('is accepted by sbverify with the CA, and with no other certificate', async () => {
    const image = join(directory, 'signed.efi');
    await writeFile(image, signed);
    sbverify('db.crt', image);
    expect(() => sbverify('debug/db.crt', image)).toThrow();
    expect(() => sbverify('PK.crt', image)).toThrow();
  });

  test.each([1, 511, 4095])('is accepted whatever the length of a section is: %i', async (length) => {
    const image = join(directory, `odd${length}.efi`);
    const odd = appendSections(loader, [{ name: '.odd', data: Buffer.alloc(length, 1), kind: 'data' }]);
    await writeFile(image, await signPe(odd, keys.uki));
    sbverify('db.crt', image);
  });

  test('has the digest that the tools of sbsigntool sign', async () => {
    const plain = join(directory, 'plain.efi');
    const theirs = join(directory, 'theirs.efi');
    await writeFile(plain, loader);
    execFileSync(
      'sbsign',
      [
        ...['--key', join(path, 'leaf.key'), '--cert', join(path, 'leaf.crt')],
        ...['--addcert', join(path, 'db.crt'), '--output', theirs, plain],
      ],
      { stdio: 'pipe' },
    );
    const image = await readFile(theirs);
    expect(Buffer.from(authenticodeDigest(image))).toEqual(authenticodeDigest(loader));
    expect(readSignatures(image)).toMatchObject([{ problems: [] }]);
  });

  test('has the same bytes every time', async () => {
    expect(signed.equals(await signPe(loader, keys.uki))).toBe(true);
    expect(signed.equals(await signPe(removeSignatures(signed), keys.uki))).toBe(true);
  });

  test('is not signed twice', async () => {
    await expect(signPe(signed, keys.uki)).rejects.toMatchObject({ code: 'pe.signed' });
  });

  test('leaves its input alone', async () => {
    const before = Buffer.from(signed);
    removeSignatures(signed);
    expect(signed.equals(before)).toBe(true);
    const plain = Buffer.from(loader);
    await signPe(plain, keys.uki);
    expect(plain.equals(loader)).toBe(true);
  });

  test('names its signer and who trusts it', () => {
    const [signature] = readSignatures(signed);
    if (signature === undefined) throw new Error('unsigned');
    expect(signature.signer.raw).toEqual(new X509Certificate(keys.uki.certificate).raw);
    expect(signature.problems).toEqual([]);
    expect(signature.chain).toHaveLength(2);
    expect(isTrustedBy(signature, keys.db.certificate)).toBe(true);
    expect(isTrustedBy(signature, keys.uki.certificate)).toBe(true);
    expect(isTrustedBy(signature, keys.sets.debug.db.certificate)).toBe(false);
    expect(isTrustedBy(signature, keys.pk.certificate)).toBe(false);
  });

  test('is invalid after any change of what firmware loads', async () => {
    const pe = parsePe(signed);
    for (const section of pe.sections) {
      const changed = Buffer.from(signed);
      changed.writeUInt8(changed.readUInt8(section.rawOffset) ^ 1, section.rawOffset);
      expect(readSignatures(changed)).toMatchObject([{ problems: ['the image was changed after signing'] }]);
      const image = join(directory, 'changed.efi');
      await writeFile(image, changed);
      expect(() => sbverify('db.crt', image)).toThrow();
    }
  });

  test('never counts as valid when its signature was changed', () => {
    const { security } = parsePe(signed);
    if (security === undefined) throw new Error('unsigned');
    const end = security.offset + signed.readUInt32LE(security.offset);
    const original = readSignatures(signed);
    fc.assert(
      fc.property(
        fc.integer({ min: security.offset + 8, max: end - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (offset, flip) => {
          const changed = Buffer.from(signed);
          changed.writeUInt8(changed.readUInt8(offset) ^ flip, offset);
          try {
            const [signature] = readSignatures(changed);
            if (signature === undefined || signature.problems.length > 0) return;
            // A changed certificate with the same key still fits the signature, but no CA issued it.
            if (!isTrustedBy(signature, keys.db.certificate)) return;
            expect(signature.signer.raw).toEqual(original[0]?.signer.raw);
          } catch (error) {
            expect(error).toBeInstanceOf(SlipwayError);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  test('with bytes between its sections is refused, since no signature covers them', async () => {
    const pe = parsePe(loader);
    const last = pe.sections.at(-1);
    if (last === undefined) throw new Error('no sections');
    const gap = Buffer.concat([
      loader.subarray(0, last.rawOffset),
      Buffer.alloc(512),
      loader.subarray(last.rawOffset),
    ]);
    gap.writeUInt32LE(last.rawOffset + 512, last.headerOffset + 20);
    await expect(signPe(gap, keys.uki)).rejects.toMatchObject({ code: 'pe.gap' });
  });
});
