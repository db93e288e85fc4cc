import { execFileSync } from 'node:child_process';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { initKeys } from '../../../builder/keys/init.ts';
import { listKeys } from '../../../builder/keys/list.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const directory = scratchDirectory();
const keys = join(directory, 'keys');
const openssl = (...argv: string[]): string =>
  execFileSync('openssl', argv, { encoding: 'utf8', stdio: 'pipe' });

beforeAll(() => initKeys(keys, { organization: 'Example' }));

describe('keys init', () => {
  test('makes two separate worlds of PK, KEK, db and leaf', async () => {
    const listed = await listKeys(keys);
    expect(listed.map(({ set, role }) => `${set}/${role}`)).toEqual([
      'release/PK',
      'release/KEK',
      'release/db',
      'release/leaf',
      'debug/PK',
      'debug/KEK',
      'debug/db',
      'debug/leaf',
    ]);
    expect(new Set(listed.map((key) => key.fingerprint)).size).toBe(8);
    expect(listed.find(({ set, role }) => set === 'release' && role === 'leaf')).toMatchObject({
      subject: 'O=Example, CN=image signing 1',
      issuer: 'O=Example, CN=image signing CA',
      privateKey: 'file',
    });
  });

  test('makes leaves that OpenSSL accepts for signing code, below their own CA alone', () => {
    const verify = (ca: string, leaf: string): string =>
      openssl('verify', '-x509_strict', '-CAfile', join(keys, ca), join(keys, leaf));
    expect(verify('db.crt', 'leaf.crt')).toContain('OK');
    expect(verify('debug/db.crt', 'debug/leaf.crt')).toContain('OK');
    expect(() => verify('db.crt', 'debug/leaf.crt')).toThrow();
    const text = openssl('x509', '-in', join(keys, 'leaf.crt'), '-noout', '-text');
    expect(text).toContain('Code Signing');
    expect(text).toContain('CA:FALSE');
    expect(text).toContain('(2048 bit)');
  });

  test('lets nobody else read private keys', async () => {
    for (const name of ['PK', 'KEK', 'db', 'leaf', 'debug/leaf']) {
      expect((await stat(join(keys, `${name}.key`))).mode & 0o777).toBe(0o600);
    }
  });

  test('never overwrites', async () => {
    const before = await readFile(join(keys, 'PK.key'));
    await expect(initKeys(keys)).rejects.toMatchObject({ code: 'keys.exists' });
    expect(await readFile(join(keys, 'PK.key'))).toEqual(before);
    const other = join(directory, 'other');
    await mkdir(other);
    await writeFile(join(other, 'note'), 'mine');
    await expect(initKeys(other)).rejects.toMatchObject({ code: 'keys.exists' });
    expect(await readdir(other)).toEqual(['note']);
  });

  test('encrypts private keys so that OpenSSL opens them with the passphrase alone', async () => {
    const encrypted = await testKeys('correct horse');
    for (const name of ['PK', 'debug/leaf']) {
      const path = join(encrypted, `${name}.key`);
      const pem = await readFile(path, 'utf8');
      expect(pem).toContain('BEGIN ENCRYPTED PRIVATE KEY');
      expect(() => createPrivateKey({ key: pem, passphrase: 'wrong' })).toThrow();
      const opened = openssl('pkey', '-in', path, '-passin', 'pass:correct horse', '-pubout');
      const certificate = new X509Certificate(await readFile(path.replace(/key$/, 'crt')));
      expect(opened).toBe(certificate.publicKey.export({ type: 'spki', format: 'pem' }));
    }
    expect((await listKeys(encrypted)).every((key) => key.privateKey === 'encrypted file')).toBe(true);
  });
});
