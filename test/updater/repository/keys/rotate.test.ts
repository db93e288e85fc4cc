/** Rotation and revocation: every new root is signed by old and new thresholds, and judged by tuf-js's models. */
import { Metadata, MetadataKind } from '@tufjs/models';
import { execFileSync } from 'node:child_process';
import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { initTufKeys, type TufInitOptions } from '../../../../updater/repository/keys/init.ts';
import { listTufKeys } from '../../../../updater/repository/keys/list.ts';
import { loadTufKeys } from '../../../../updater/repository/keys/load.ts';
import {
  dropChannel,
  dropKey,
  renewRoot,
  rotateKey,
  rotateRole,
} from '../../../../updater/repository/keys/rotate.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';

const scratch = scratchDirectory();
let count = 0;
const options = { passphrase: (): Promise<undefined> => Promise.resolve(undefined) };

async function made(init: TufInitOptions = {}): Promise<string> {
  const keys = join(scratch, `keys${++count}`);
  await initTufKeys(keys, init);
  return keys;
}

/** As a client walks it: each root is signed as the one before asks, and as it asks itself. */
async function walk(keys: string): Promise<number> {
  const chain = (await loadTufKeys(keys)).rootChain.map(({ bytes }) =>
    Metadata.fromJSON(MetadataKind.Root, JSON.parse(Buffer.from(bytes).toString()) as never),
  );
  chain.forEach((root, index) => {
    chain[index - 1]?.verifyDelegate('root', root);
    root.verifyDelegate('root', root);
    expect(root.signed.version).toBe(index + 1);
  });
  expect(await readFile(join(keys, 'tuf/root.json'))).toEqual(
    await readFile(join(keys, `tuf/${chain.length}.root.json`)),
  );
  return chain.length;
}

test('every role can be rotated, root with its threshold too; old private keys stand aside', async () => {
  const keys = await made({ root: { keys: 3, threshold: 2 } });
  const before = await loadTufKeys(keys);
  for (const role of ['timestamp', 'snapshot', 'targets', 'root'] as const)
    await rotateRole(keys, role, options);
  expect(await walk(keys)).toBe(5);
  const after = await loadTufKeys(keys);
  for (const role of ['timestamp', 'snapshot', 'targets', 'root'] as const) {
    const old = Object.keys(before.role(role)?.keys ?? {});
    expect(Object.keys(after.role(role)?.keys ?? {}).filter((keyId) => old.includes(keyId))).toEqual([]);
    expect(after.signers(role)).toHaveLength(old.length);
  }
  expect(after.root.roles.root.threshold).toBe(2);
  expect(await readdir(join(keys, 'tuf/retired'))).toHaveLength(3 + 1 + 1 + 1);
});

test('thresholds grow, and the old one still has to agree', async () => {
  const keys = await made();
  await rotateRole(keys, 'root', { ...options, keys: 3, threshold: 2 });
  expect((await loadTufKeys(keys)).root.roles.root.threshold).toBe(2);
  await rotateRole(keys, 'timestamp', options);
  expect(await walk(keys)).toBe(3);
});

test('a new root without enough old keys is not written, and no key is made', async () => {
  const keys = await made({ root: { keys: 3, threshold: 2 } });
  const names = (await readdir(join(keys, 'tuf'))).filter((name) => name.startsWith('root-'));
  for (const name of names.slice(1)) await rm(join(keys, 'tuf', name));
  const before = await readdir(join(keys, 'tuf'));
  await expect(rotateRole(keys, 'targets', options)).rejects.toMatchObject({
    code: 'keys.private-key-missing',
  });
  expect(await readdir(join(keys, 'tuf'))).toEqual(before);
});

test('one key of several is replaced, or dropped while there are enough', async () => {
  const keys = await made({ root: { keys: 3, threshold: 2 } });
  const [first = '', second = '', third = ''] = Object.keys((await loadTufKeys(keys)).root.roles.root.keys);
  await rotateKey(keys, first.slice(0, 8), options);
  await dropKey(keys, second, options);
  expect(await walk(keys)).toBe(3);
  const { root } = await loadTufKeys(keys);
  expect(Object.keys(root.roles.root.keys)).toHaveLength(2);
  expect(Object.keys(root.roles.root.keys)).toContain(third);
  await expect(dropKey(keys, third, options)).rejects.toMatchObject({ code: 'keys.below-threshold' });
  await expect(rotateKey(keys, first, options)).rejects.toMatchObject({ code: 'keys.no-key' });
});

test('a channel’s key changes without a new root, and a channel can go', async () => {
  const keys = await made({ channels: ['stable', 'beta'] });
  const result = await rotateRole(keys, 'rollout-stable', options);
  expect(result.rootVersion).toBeUndefined();
  const loaded = await loadTufKeys(keys);
  expect(Object.keys(loaded.channels['stable']?.keys ?? {})).toEqual(result.added);
  expect(loaded.signers('rollout-stable')).toHaveLength(1);
  await dropChannel(keys, 'beta');
  expect(Object.keys((await loadTufKeys(keys)).channels)).toEqual(['stable']);
  expect(await walk(keys)).toBe(1);
});

test('failure 39: root can be renewed long before it expires, and the list tells when that is', async () => {
  const keys = await made({ now: new Date('2026-01-01T00:00:00Z'), rootDays: 30 });
  expect((await listTufKeys(keys)).root).toEqual({ version: 1, expires: '2026-01-31T00:00:00.000Z' });
  await renewRoot(keys, { ...options, now: new Date('2026-01-20T00:00:00Z'), rootDays: 365 });
  expect((await listTufKeys(keys)).root).toEqual({ version: 2, expires: '2027-01-20T00:00:00.000Z' });
  expect(await walk(keys)).toBe(2);
});

test('a key that lives elsewhere signs by a program; one that signs wrongly is refused before anything changes', async () => {
  const keys = await made();
  const pem = join(scratch, 'hsm.pem');
  execFileSync('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', pem]);
  execFileSync('openssl', ['pkey', '-in', pem, '-pubout', '-out', `${pem}.pub`]);
  const program = join(scratch, 'sign');
  const script = `#!/bin/sh\nset -e\nf=$(mktemp)\ntrap 'rm -f "$f"' EXIT\ncat > "$f"\nopenssl pkeyutl -sign -rawin -inkey ${pem} -in "$f"\n`;
  await writeFile(program, script, { mode: 0o755 });
  const external = (command: string) => ({
    ...options,
    external: {
      publicKeyFile: `${pem}.pub`,
      signer: { command: [command], environment: [], timeoutSeconds: 20 },
    },
  });
  const wrong = join(scratch, 'wrong');
  await writeFile(wrong, '#!/bin/sh\ncat >/dev/null\nhead -c 64 /dev/zero\n', { mode: 0o755 });
  await expect(rotateRole(keys, 'root', external(wrong))).rejects.toMatchObject({
    code: 'keys.wrong-signature',
  });
  expect(await walk(keys)).toBe(1);
  await rotateRole(keys, 'root', external(program));
  expect((await listTufKeys(keys)).keys[0]).toMatchObject({ role: 'root', privateKey: 'command' });
  await rotateRole(keys, 'timestamp', options);
  expect(await walk(keys)).toBe(3);
  const rsa = join(scratch, 'rsa.pem');
  execFileSync('openssl', ['genpkey', '-algorithm', 'RSA', '-out', rsa], { stdio: 'pipe' });
  execFileSync('openssl', ['pkey', '-in', rsa, '-pubout', '-out', `${pem}.pub`]);
  await expect(rotateRole(keys, 'targets', external(program))).rejects.toMatchObject({
    code: 'keys.invalid',
  });
});

test('new keys are encrypted where the others are', async () => {
  const passphrase = (): Promise<string> => Promise.resolve('correct horse');
  const keys = await made({ passphrase });
  await expect(rotateRole(keys, 'timestamp', options)).rejects.toMatchObject({
    code: 'keys.passphrase-missing',
  });
  await rotateRole(keys, 'timestamp', { passphrase });
  const kinds = (await listTufKeys(keys)).keys.map(({ privateKey }) => privateKey);
  expect(new Set(kinds)).toEqual(new Set(['encrypted file']));
});
