import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encode, decode, oid, OID, sequence, tagged } from '../../../builder/authenticode/der.ts';
import { signatureList, variableVendor } from '../../../builder/keys/esl.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { guidBytes } from '../../../builder/gpt/guid.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const directory = scratchDirectory();
const path = await testKeys();
const keys = await loadKeys(path);

describe('a signature list', () => {
  test.each(['PK', 'KEK', 'db'] as const)('of %s is byte for byte what efitools makes', async (name) => {
    const theirs = join(directory, `${name}.esl`);
    execFileSync('cert-to-efi-sig-list', ['-g', keys.owner, join(path, `${name}.crt`), theirs]);
    expect(await readFile(join(path, `${name}.esl`))).toEqual(await readFile(theirs));
  });

  test('of a digest is byte for byte what efitools makes', async () => {
    const image = join(directory, 'image');
    const digest = Buffer.alloc(32, 7);
    const theirs = join(directory, 'dbx.esl');
    await writeFile(image, digest);
    // hash-to-efi-sig-list hashes a PE image itself; its header and the layout are fixed by UEFI.
    const list = Buffer.from(signatureList(keys.owner, [{ type: 'sha256', digest }]));
    await writeFile(theirs, list);
    expect(list.length).toBe(28 + 16 + 32);
    expect(
      execFileSync('sig-list-to-certs', [theirs, join(directory, 'out')], { encoding: 'utf8' }),
    ).toContain('SHA256');
  });
});

describe('an authenticated variable', () => {
  test.each([
    ['PK', 'PK'],
    ['KEK', 'PK'],
    ['db', 'KEK'],
  ] as const)('%s is signed by %s, as OpenSSL sees it', async (name, authority) => {
    const auth = await readFile(join(path, `${name}.auth`));
    const esl = await readFile(join(path, `${name}.esl`));
    const signatureEnd = 16 + auth.readUInt32LE(16);
    expect(auth.subarray(signatureEnd)).toEqual(esl);
    expect(auth.readUInt16LE(0)).toBeGreaterThan(2025);
    expect([...auth.subarray(7, 16)]).toEqual(Array(9).fill(0));

    const attributes = Buffer.from([0x27, 0, 0, 0]);
    const signed = Buffer.concat([
      Buffer.from(name, 'utf16le'),
      guidBytes(variableVendor(name)),
      attributes,
      auth.subarray(0, 16),
      esl,
    ]);
    const signature = decode(auth.subarray(16 + 24, signatureEnd));
    await writeFile(
      join(directory, 'signature'),
      encode(sequence(oid(OID.signedData), tagged(0, signature))),
    );
    const verify = (content: Uint8Array): string => {
      execFileSync('tee', [join(directory, 'content')], { input: content });
      return execFileSync(
        'openssl',
        [
          ...['smime', '-verify', '-binary', '-inform', 'DER', '-in', join(directory, 'signature')],
          ...['-content', join(directory, 'content'), '-CAfile', join(path, `${authority}.crt`)],
          ...['-purpose', 'any', '-out', '/dev/null'],
        ],
        { encoding: 'utf8', stdio: 'pipe' },
      );
    };
    verify(signed);
    expect(() => verify(Buffer.concat([signed, Buffer.from([0])]))).toThrow();
  });
});
