import { chmod, cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { signMessage, verifyDigest } from '../../../builder/authenticode/signer.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { passphraseSource } from '../../../builder/keys/passphrase.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const directory = scratchDirectory();
const original = await testKeys('correct horse');
const message = Buffer.from('message');
let copies = 0;

async function copy(): Promise<string> {
  const path = join(directory, `copy${++copies}`);
  await cp(original, path, { recursive: true });
  return path;
}

const saying = (passphrase: string | undefined) => ({ passphrase: () => Promise.resolve(passphrase) });

describe('loading keys', () => {
  test('signs with the leaf', async () => {
    const { uki } = await loadKeys(original, saying('correct horse'));
    const signature = await signMessage(uki, message);
    const digest = createHash('sha256').update(message).digest();
    expect(verifyDigest(uki.certificate, digest, signature)).toBe(true);
  });

  test('needs no private key but the leaf’s', async () => {
    const keys = await copy();
    for (const name of ['PK', 'KEK', 'db', 'debug/PK', 'debug/KEK', 'debug/db']) {
      await rm(join(keys, `${name}.key`));
    }
    const { uki, debug } = await loadKeys(keys, saying('correct horse'));
    await signMessage(uki, message);
    await signMessage(debug, message);
  });

  test.each([0o640, 0o604, 0o644, 0o660])(
    'refuses a private key with mode %o and says how to mend it',
    async (mode) => {
      const keys = await copy();
      await chmod(join(keys, 'KEK.key'), mode);
      await expect(loadKeys(keys)).rejects.toMatchObject({
        code: 'keys.readable-by-others',
        hint: `run: chmod 0600 ${join(keys, 'KEK.key')}`,
      });
    },
  );

  test.each([
    ['no passphrase', undefined, 'keys.passphrase-missing'],
    ['a wrong one', 'wrong horse', 'keys.wrong-passphrase'],
  ])('with %s fails without repeating it', async (_, passphrase, code) => {
    const { uki } = await loadKeys(original, saying(passphrase));
    const failure: unknown = await signMessage(uki, message).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(JSON.stringify([failure, String(failure)])).not.toContain('wrong horse');
  });

  test.each([
    ['no directory at all', 'nothing', 'keys.missing'],
    ['a leaf of another CA', 'foreign', 'keys.invalid'],
    ['keys.json that is not JSON', 'json', 'keys.invalid'],
    ['an unknown setting in keys.json', 'unknown', 'keys.invalid'],
  ])('%s is refused', async (_, fault, code) => {
    const keys = await copy();
    if (fault === 'nothing') await rm(keys, { recursive: true });
    if (fault === 'foreign') await cp(join(keys, 'debug/leaf.crt'), join(keys, 'leaf.crt'));
    if (fault === 'json') await writeFile(join(keys, 'keys.json'), '{');
    if (fault === 'unknown') {
      const file = JSON.parse(await readFile(join(keys, 'keys.json'), 'utf8')) as object;
      await writeFile(join(keys, 'keys.json'), JSON.stringify({ ...file, colour: 'red' }));
    }
    await expect(loadKeys(keys)).rejects.toMatchObject({ code });
  });

  test('a private key that belongs to another certificate is refused', async () => {
    const keys = await copy();
    await cp(join(keys, 'debug/leaf.key'), join(keys, 'leaf.key'));
    const { uki } = await loadKeys(keys, saying('correct horse'));
    await expect(signMessage(uki, message)).rejects.toMatchObject({ code: 'keys.invalid' });
  });
});

describe('a signer that is a program', () => {
  const withSigner = async (signer: object): Promise<string> => {
    const keys = await copy();
    const file = JSON.parse(await readFile(join(keys, 'keys.json'), 'utf8')) as object;
    await writeFile(join(keys, 'keys.json'), JSON.stringify({ ...file, signers: { release: signer } }));
    return keys;
  };

  test('gets the digest on stdin and returns the raw signature', async () => {
    // What an HSM does, done by openssl with the same key. `pkeyutl` signs a digest that it is given.
    const keys = await withSigner({
      command: [
        'openssl',
        'pkeyutl',
        '-sign',
        ...['-inkey', join(original, 'leaf.key'), '-passin', 'env:SLIPWAY_TEST_PIN'],
        ...['-pkeyopt', 'digest:sha256', '-pkeyopt', 'rsa_padding_mode:pkcs1'],
      ],
      environment: ['SLIPWAY_TEST_PIN'],
    });
    await rm(join(keys, 'leaf.key'));
    process.env['SLIPWAY_TEST_PIN'] = 'correct horse';
    const here = await loadKeys(original, saying('correct horse'));
    const there = await loadKeys(keys);
    expect(Buffer.from(await signMessage(there.uki, message))).toEqual(await signMessage(here.uki, message));
  });

  test.each([
    ['returns nonsense', ['head', '-c', '256', '/dev/zero'], 'sign.wrong-signature'],
    ['returns nothing', ['true'], 'sign.wrong-signature'],
    ['fails', ['false'], 'process.failed'],
    ['does not exist', ['/nonexistent/signer'], 'process.failed'],
  ])('that %s stops the build', async (_, command, code) => {
    const { uki } = await loadKeys(await withSigner({ command }));
    await expect(signMessage(uki, message)).rejects.toMatchObject({ code });
  });
});

describe('a passphrase', () => {
  test('comes from a file, then the environment, then a person; and is asked for once', async () => {
    const file = join(directory, 'passphrase');
    await writeFile(file, 'from file\nsecond line\n');
    process.env['SLIPWAY_PASSPHRASE'] = 'from environment';
    expect(await passphraseSource({ file })()).toBe('from file');
    expect(await passphraseSource()()).toBe('from environment');
    delete process.env['SLIPWAY_PASSPHRASE'];
    process.env['SLIPWAY_PASSPHRASE_FILE'] = file;
    expect(await passphraseSource()()).toBe('from file');
    delete process.env['SLIPWAY_PASSPHRASE_FILE'];
    let asked = 0;
    const source = passphraseSource({ prompt: () => Promise.resolve(`answer ${++asked}`) });
    expect([await source(), await source()]).toEqual(['answer 1', 'answer 1']);
    expect(await passphraseSource()()).toBeUndefined();
  });

  test('file that is empty or missing is an error', async () => {
    const file = join(directory, 'empty');
    await writeFile(file, '\n');
    await expect(passphraseSource({ file })()).rejects.toMatchObject({ code: 'keys.passphrase-file' });
    const missing = passphraseSource({ file: join(directory, 'missing') });
    await expect(missing()).rejects.toMatchObject({ code: 'keys.passphrase-file' });
  });
});
