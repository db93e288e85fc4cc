/** Keys for updates: what `slipway keys init` adds, and what it never touches. */
import { chmod, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { initTufKeys } from '../../../../updater/repository/keys/init.ts';
import { listTufKeys } from '../../../../updater/repository/keys/list.ts';
import { loadTufKeys } from '../../../../updater/repository/keys/load.ts';
import { countSignatures } from '../../../../updater/repository/tuf/root.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';

const scratch = scratchDirectory();
let count = 0;
const fresh = (): string => join(scratch, `keys${++count}`);

describe('making', () => {
  test('private keys are for their owner alone, whatever the umask; the first root is signed by its own keys', async () => {
    const keys = fresh();
    const before = process.umask(0);
    await initTufKeys(keys, {
      root: { keys: 3, threshold: 2 },
      targets: { keys: 2, threshold: 2 },
      channels: ['stable', 'beta'],
    });
    process.umask(before);
    const names = await readdir(join(keys, 'tuf'));
    const privateKeys = names.filter((name) => name.endsWith('.key'));
    expect(privateKeys).toHaveLength(3 + 2 + 1 + 1 + 2);
    for (const name of privateKeys)
      expect((await stat(join(keys, 'tuf', name))).mode & 0o777, name).toBe(0o600);
    expect((await stat(join(keys, 'tuf'))).mode & 0o777).toBe(0o700);
    const loaded = await loadTufKeys(keys);
    expect(countSignatures(loaded.rootChain[0]?.bytes ?? new Uint8Array(), loaded.root.roles.root)).toBe(3);
    expect(await readFile(join(keys, 'tuf/root.json'))).toEqual(
      await readFile(join(keys, 'tuf/1.root.json')),
    );
    expect((await readdir(keys)).sort()).toEqual(['tuf']);
  });

  test('a second time adds the channels that are missing, and changes no file that was there', async () => {
    const keys = fresh();
    await initTufKeys(keys);
    const bytes = async (): Promise<Record<string, string>> =>
      Object.fromEntries(
        await Promise.all(
          (await readdir(join(keys, 'tuf')))
            .filter((name) => name !== 'tuf.json')
            .map(async (name) => [name, await readFile(join(keys, 'tuf', name), 'utf8')]),
        ),
      ) as Record<string, string>;
    const before = await bytes();
    expect(await initTufKeys(keys, { channels: ['stable'] })).toEqual({ made: 'nothing', channels: [] });
    expect(await initTufKeys(keys, { channels: ['stable', 'beta'] })).toEqual({
      made: 'channels',
      channels: ['beta'],
    });
    const after = await bytes();
    expect(after).toMatchObject(before);
    expect(Object.keys(after)).toHaveLength(Object.keys(before).length + 1);
  });

  test.each([
    ['more that must sign than there are', { root: { keys: 1, threshold: 2 } }, 'usage.threshold'],
    ['none that must sign', { targets: { keys: 2, threshold: 0 } }, 'usage.threshold'],
    ['a channel that leaves its directory', { channels: ['../x'] }, 'usage.channel'],
    ['a channel with a capital letter', { channels: ['Stable'] }, 'usage.channel'],
  ])('%s is refused, and nothing made', async (_, options, code) => {
    const keys = fresh();
    await expect(initTufKeys(keys, options)).rejects.toMatchObject({ code });
    await expect(stat(keys)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('using', () => {
  test('a private key that the group may read is refused', async () => {
    const keys = fresh();
    await initTufKeys(keys);
    const [name = ''] = (await readdir(join(keys, 'tuf'))).filter((one) => one.startsWith('timestamp-'));
    await chmod(join(keys, 'tuf', name), 0o640);
    await expect(loadTufKeys(keys)).rejects.toMatchObject({ code: 'keys.readable-by-others' });
  });

  test('with offline keys away, the others sign, and what is missing is named', async () => {
    const keys = fresh();
    await initTufKeys(keys, { root: { keys: 2, threshold: 2 } });
    const names = (await readdir(join(keys, 'tuf'))).filter((one) => /^(root|targets)-.*key$/.test(one));
    for (const name of names) await rm(join(keys, 'tuf', name));
    const loaded = await loadTufKeys(keys);
    expect(loaded.signers('timestamp')).toHaveLength(1);
    expect(loaded.signers('rollout-stable')).toHaveLength(1);
    expect(() => loaded.signers('targets')).toThrow(/needs 1 of its private keys, and 0/);
    expect(() => loaded.signers('rollout-beta')).toThrow(/no keys for rollout-beta/);
    const list = await listTufKeys(keys);
    expect(list.keys.map(({ role, privateKey }) => [role, privateKey])).toEqual([
      ['root', 'absent'],
      ['root', 'absent'],
      ['targets', 'absent'],
      ['snapshot', 'file'],
      ['timestamp', 'file'],
      ['rollout-stable', 'file'],
    ]);
  });

  test('encrypted keys sign with their passphrase, and not without', async () => {
    const keys = fresh();
    await initTufKeys(keys, { passphrase: () => Promise.resolve('correct horse') });
    const message = Buffer.from('x');
    const sign = async (passphrase: string | undefined): Promise<Uint8Array | undefined> =>
      (await loadTufKeys(keys, { passphrase: () => Promise.resolve(passphrase) }))
        .signers('timestamp')[0]
        ?.sign(message);
    expect(await sign('correct horse')).toHaveLength(64);
    await expect(sign('wrong')).rejects.toMatchObject({ code: 'keys.wrong-passphrase' });
    await expect(sign(undefined)).rejects.toMatchObject({ code: 'keys.passphrase-missing' });
  });

  test('another key under the name of one is noticed', async () => {
    const [one, other] = [fresh(), fresh()];
    await initTufKeys(one);
    await initTufKeys(other);
    const timestamp = async (keys: string): Promise<string> =>
      join(
        keys,
        'tuf',
        (await readdir(join(keys, 'tuf'))).find((name) => name.startsWith('timestamp-')) ?? '',
      );
    await writeFile(await timestamp(one), await readFile(await timestamp(other)));
    const [signer] = (await loadTufKeys(one)).signers('timestamp');
    await expect(signer?.sign(Buffer.from('x'))).rejects.toMatchObject({ code: 'keys.invalid' });
  });

  test('a directory without keys for updates says how to add them', async () => {
    const keys = fresh();
    await mkdir(keys);
    await expect(loadTufKeys(keys)).rejects.toMatchObject({
      code: 'keys.missing',
      hint: expect.stringContaining('slipway keys init') as string,
    });
  });
});
