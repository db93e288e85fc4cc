/** `slipway keys` as users call it. */
import { execFileSync } from 'node:child_process';
import { chmod, cp, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { signMessage } from '../../builder/authenticode/signer.ts';
import { loadKeys } from '../../builder/keys/load.ts';
import { keysCommand } from '../../cli/keys.ts';
import { scratchDirectory } from '../builder/scratch.ts';
import { testKeys } from '../builder/test-keys.ts';

const directory = scratchDirectory();
let output = '';

beforeEach(() => {
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  delete process.env['SLIPWAY_PASSPHRASE'];
});

const slipwayKeys = (...argv: string[]) => keysCommand().exitOverride().parseAsync(argv, { from: 'user' });

let copies = 0;
async function copyOf(keys: string): Promise<string> {
  const path = join(directory, `copy${++copies}`);
  await cp(keys, path, { recursive: true });
  return path;
}

describe('slipway keys init', () => {
  test('makes keys that only their owner may read whatever the umask is, and prints no secret', async () => {
    const before = process.umask(0);
    const keys = join(directory, 'made');
    await slipwayKeys('init', keys);
    process.umask(before);
    for (const name of ['PK', 'KEK', 'db', 'leaf', 'debug/leaf']) {
      expect((await stat(join(keys, `${name}.key`))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(keys)).mode & 0o777).toBe(0o700);
    expect(output).toContain('O=Slipway, CN=image signing CA');
    expect(output).not.toContain('PRIVATE KEY-----');
    expect(output).toMatch(/^timestamp +[0-9a-f]{16} +1 of 1 +file/m);
    expect(output).toMatch(/^pcr +TPMs open .* file +[0-9a-f]{16}$/m);
    const made = await readdir(keys, { recursive: true });
    output = '';
    await slipwayKeys('init', keys);
    expect(output).toContain('nothing was changed');
    expect(await readdir(keys, { recursive: true })).toEqual(made);
  });

  test('adds the keys for updates to a directory of an earlier Slipway, and touches nothing else', async () => {
    const keys = await copyOf(await testKeys());
    await rm(join(keys, 'tuf'), { recursive: true });
    const before = await readFile(join(keys, 'leaf.key'), 'utf8');
    await slipwayKeys('list', keys);
    expect(output).toContain('No keys for updates yet');
    await slipwayKeys(
      'init',
      keys,
      '--root-keys',
      '3',
      '--root-threshold',
      '2',
      '--channel',
      'beta',
      'stable',
    );
    expect(await readFile(join(keys, 'leaf.key'), 'utf8')).toBe(before);
    output = '';
    await slipwayKeys('list', keys, '--json');
    const { updates } = JSON.parse(output) as { updates: { keys: Record<string, unknown>[] } };
    expect(updates.keys.map(({ role, threshold }) => `${String(role)} ${String(threshold)}`)).toEqual([
      'root 2',
      'root 2',
      'root 2',
      'targets 1',
      'snapshot 1',
      'timestamp 1',
      'rollout-beta 1',
      'rollout-stable 1',
    ]);
  });

  test('refuses a directory that holds something else', async () => {
    const keys = join(directory, 'else');
    await mkdir(keys);
    await writeFile(join(keys, 'note'), 'x');
    await expect(slipwayKeys('init', keys)).rejects.toMatchObject({ code: 'keys.exists' });
    expect(await readdir(keys)).toEqual(['note']);
  });

  test('--passphrase without a terminal says what to do instead', async () => {
    await expect(slipwayKeys('init', join(directory, 'asked'), '--passphrase')).rejects.toMatchObject({
      code: 'usage.passphrase',
    });
  });
});

describe('slipway keys list', () => {
  test('--json tells what each key is for', async () => {
    await slipwayKeys('list', await testKeys(), '--json');
    const { format, keys } = JSON.parse(output) as { format: string; keys: Record<string, string>[] };
    expect(format).toBe('1.0');
    expect(keys).toHaveLength(8);
    expect(keys[0]).toMatchObject({ set: 'release', role: 'PK', privateKey: 'file' });
    expect(keys[0]?.['fingerprint']).toMatch(/^[0-9a-f]{64}$/);
  });

  test('refuses a directory whose private keys others may read', async () => {
    const keys = await copyOf(await testKeys());
    await chmod(join(keys, 'debug/db.key'), 0o644);
    await expect(slipwayKeys('list', keys)).rejects.toMatchObject({ code: 'keys.readable-by-others' });
  });
});

describe('slipway keys rotate, revoke, renew', () => {
  test('say what changed, and which version of root tells it', async () => {
    const keys = await copyOf(await testKeys());
    await slipwayKeys('init', keys);
    output = '';
    await slipwayKeys('rotate', 'timestamp', keys);
    expect(output).toMatch(/^timestamp: [0-9a-f]{16} is not trusted any more$/m);
    expect(output).toContain('Root is version 2 now');
    await slipwayKeys('renew', keys, '--root-days', '400');
    output = '';
    await slipwayKeys('revoke', 'rollout-stable', keys, '--json');
    expect(JSON.parse(output)).toMatchObject({
      role: 'rollout-stable',
      added: [expect.any(String)],
      retired: [expect.any(String)],
    });
    output = '';
    await slipwayKeys('list', keys);
    expect(output).toMatch(/Root is version 3, and expires on \d{4}-/);
  });

  test.each([
    ['a role that there is not', ['rotate', 'rollout-nightly'], 'keys.no-role'],
    ['an abbreviation that is too short', ['revoke', 'ab'], 'keys.no-key'],
    ['a role that no update can do without', ['revoke', 'targets', '--drop'], 'usage.drop'],
    ['a signer without its public key', ['rotate', 'targets', '--signer', 'true'], 'usage.signer'],
  ])('refuse %s', async (_, [command = '', what = '', ...flags], code) => {
    const keys = await copyOf(await testKeys());
    await slipwayKeys('init', keys);
    await expect(slipwayKeys(command, what, keys, ...flags)).rejects.toMatchObject({ code });
  });
});

describe('slipway keys leaf', () => {
  test('replaces the leaf, and keeps the old certificate for dbx', async () => {
    const keys = await copyOf(await testKeys());
    const old = await readFile(join(keys, 'leaf.crt'), 'utf8');
    await slipwayKeys('leaf', 'image signing 2', keys);
    const retired = /certificate is (\S+):/.exec(output)?.[1] ?? '';
    expect(await readFile(retired, 'utf8')).toBe(old);
    expect((await stat(retired.replace(/crt$/, 'key'))).mode & 0o777).toBe(0o600);
    await signMessage((await loadKeys(keys)).uki, Buffer.from('message'));
    output = '';
    await slipwayKeys('list', keys);
    expect(output).toContain('CN=image signing 2');
  });

  test('encrypts the new private key where the CA’s is encrypted', async () => {
    const keys = await copyOf(await testKeys('correct horse'));
    await expect(slipwayKeys('leaf', 'x', keys)).rejects.toMatchObject({ code: 'keys.passphrase-missing' });
    process.env['SLIPWAY_PASSPHRASE'] = 'correct horse';
    await slipwayKeys('leaf', 'image signing 2', keys);
    expect(await readFile(join(keys, 'leaf.key'), 'utf8')).toContain('BEGIN ENCRYPTED');
    await signMessage((await loadKeys(keys)).uki, Buffer.from('message'));
  });

  test('takes a key that lives elsewhere', async () => {
    const keys = await copyOf(await testKeys());
    const hsm = join(directory, 'hsm.key');
    execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-out', hsm], { stdio: 'pipe' });
    execFileSync('openssl', ['pkey', '-in', hsm, '-pubout', '-out', `${hsm}.pub`]);
    const sign = join(directory, 'sign');
    await writeFile(
      sign,
      `#!/bin/sh\nexec openssl pkeyutl -sign -inkey ${hsm} -pkeyopt digest:sha256 -pkeyopt rsa_padding_mode:pkcs1\n`,
      { mode: 0o755 },
    );
    await slipwayKeys('leaf', 'HSM 1', keys, '--public-key', `${hsm}.pub`, '--signer', sign);
    await signMessage((await loadKeys(keys)).uki, Buffer.from('message'));
    output = '';
    await slipwayKeys('list', keys);
    expect(output).toMatch(/^leaf +O=Slipway, CN=HSM 1 .* command /m);
  });

  test('says so when the CA is offline, and changes nothing', async () => {
    const keys = await copyOf(await testKeys());
    await rm(join(keys, 'db.key'));
    const before = await readFile(join(keys, 'leaf.crt'), 'utf8');
    await expect(slipwayKeys('leaf', 'x', keys)).rejects.toMatchObject({ code: 'keys.private-key-missing' });
    expect(await readFile(join(keys, 'leaf.crt'), 'utf8')).toBe(before);
  });

  test.each([
    ['an unknown set', ['--set', 'both'], 'usage.set'],
    ['a signer without its public key', ['--signer', 'true'], 'usage.signer'],
  ])('refuses %s', async (_, flags, code) => {
    await expect(slipwayKeys('leaf', 'x', await testKeys(), ...flags)).rejects.toMatchObject({ code });
  });
});
