import { randomBytes } from 'node:crypto';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Signer } from '../../../builder/authenticode/signer.ts';
import { signatureList, authenticatedVariable } from '../../../builder/keys/esl.ts';
import { fingerprint } from '../../../builder/keys/certificate.ts';
import { keyPath } from '../../../builder/keys/directory.ts';
import { initKeys } from '../../../builder/keys/init.ts';
import { renewLeaf } from '../../../builder/keys/leaf.ts';
import { loadKeys, type Keys } from '../../../builder/keys/load.ts';
import { readPrivateKey, signDigest } from '../../../builder/keys/private-key.ts';
import { parseSignatureLists } from '../../../updater/device/switch/signature-list.ts';
import {
  openSecureBootChanges,
  type SecureBootChanges,
} from '../../../updater/repository/release/secure-boot.ts';
import { KEYS, testKeys } from '../image.ts';
import { HEALTHY_LIMIT_MS } from '../machine.ts';
import { startUpdatingMachine, type UpdatingMachine } from './machine.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { buildVersion, UPDATE_WORK, type BuiltVersion } from './versions.ts';

/** Eleven starts of a machine. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 8 * HEALTHY_LIMIT_MS;
const NEXT_KEYS = join(UPDATE_WORK, 'next-keys');
/** Another world, with nothing in it that any machine knows. */
const OTHER_KEYS = join(UPDATE_WORK, 'other-keys');
/** Ours, with that world's KEK in the place of ours. */
const KEYS_WITH_OTHER_KEK = join(UPDATE_WORK, 'keys-with-other-kek');
const BOOT = 'EFI/BOOT/BOOTX64.EFI';
const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const EFI = '/run/test-efi';
/** Vendors of variables (UEFI specification, 3.3 and 32.6.1). */
const GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const IMAGE_SECURITY = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const ESP = '/run/test-esp';

/** A release line ends: its leaf is retired, with all that it ever signed, on a machine that stays reachable throughout. */
describe.runIf(FULL)('a release that changes boot loader and keys', { timeout: LIMIT_MS }, () => {
  let keys: Keys;
  let other: Keys;
  let versions: Record<'first' | 'second' | 'third' | 'fourth', BuiltVersion>;
  let repository: TestRepository;
  let machine: UpdatingMachine;

  beforeAll(async () => {
    keys = await testKeys();
    await forgetKeys();
    await cp(KEYS, NEXT_KEYS, { recursive: true });
    await initKeys(OTHER_KEYS);
    other = await loadKeys(OTHER_KEYS);
    await cp(KEYS, KEYS_WITH_OTHER_KEK, { recursive: true });
    for (const file of ['key', 'crt'] as const)
      await cp(
        keyPath(OTHER_KEYS, 'release', 'KEK', file),
        keyPath(KEYS_WITH_OTHER_KEK, 'release', 'KEK', file),
      );
    const passphrase = (): Promise<undefined> => Promise.resolve(undefined);
    await renewLeaf(NEXT_KEYS, { set: 'release', commonName: 'image signing 2', passphrase });
    versions = {
      first: await buildVersion('3.0.0'),
      second: await buildVersion('3.1.0', 'none', NEXT_KEYS),
      third: await buildVersion('3.2.0', 'none', NEXT_KEYS),
      fourth: await buildVersion('3.3.0', 'none', NEXT_KEYS),
    };
    repository = await openTestRepository('secure-boot');
    await repository.publish(versions.first);
    machine = await startUpdatingMachine('secure-boot', versions.first, repository);
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
    await forgetKeys();
  });

  test('trusts a new CA at once; the leaf waits while the boot loader and the version to return to need it', async () => {
    await onEsp(`cp ${ESP}/EFI/Linux/updating_3.0.0.efi /var/lib/old.efi`);
    const old = await loaders();
    expect(old[BOOT]).toBe(old[SYSTEMD]);
    await repository.publishChanges(
      versions.second,
      await changes({ db: [join(KEYS, 'debug/db.crt')], dbx: [join(KEYS, 'leaf.crt')] }),
    );
    expect(await machine.applyAndSettle()).toMatchObject({ image: { version: '3.1.0' } });
    await expect.poll(after, POLL).toMatchObject([
      { what: expect.stringMatching(/^boot loader/) as string, state: 'waiting' },
      { what: "Secure Boot's dbx", state: 'waiting', why: expect.stringContaining(BOOT) as string },
    ]);
    expect(await variable('db')).toEqual([keys.db, keys.sets.debug.db].map(digestOf).sort());
    expect(await variable('dbx')).toEqual([]);
    await atRest();
    // By an operator's word nothing else comes of it.
    expect(await machine.update('finish')).toMatchObject({ after: await after(), sealed: false });
    const now = await loaders();
    expect(now[BOOT]).toBe(old[BOOT]);
    expect(now[SYSTEMD]).not.toBe(old[SYSTEMD]);
  });

  test('a new boot loader that comes to harm before its first start: the old one starts the machine, and it is written anew', async () => {
    const { [SYSTEMD]: wanted, [BOOT]: old } = await loaders();
    await onEsp(`dd if=/dev/urandom of=${ESP}/${SYSTEMD} bs=4096 seek=4 count=1 conv=notrunc`);
    await restart();
    expect(await running()).toBe('3.1.0');
    await expect.poll(loaders, POLL).toEqual({ [BOOT]: old, [SYSTEMD]: wanted });
  });

  test('the next start is through the new boot loader, which then takes the place of the old one', async () => {
    const wanted = (await loaders())[SYSTEMD];
    await restart();
    await expect
      .poll(after, POLL)
      .toMatchObject([
        { what: "Secure Boot's dbx", why: expect.stringContaining('EFI/Linux/updating_3.0.0.efi') as string },
      ]);
    expect(await loaders()).toEqual({ [BOOT]: wanted, [SYSTEMD]: wanted });
    expect(await variable('dbx')).toEqual([]);
  });

  test('with the next version nothing needs the old leaf: it is retired; a new KEK is trusted, and so is what only that has signed', async () => {
    expect(await variable('KEK')).toEqual([digestOf(keys.kek)]);
    await repository.publishChanges(
      versions.third,
      await changes(
        {
          KEK: [keyPath(OTHER_KEYS, 'release', 'KEK', 'crt')],
          db: [keyPath(OTHER_KEYS, 'release', 'db', 'crt')],
        },
        KEYS_WITH_OTHER_KEK,
      ),
    );
    expect(await machine.applyAndSettle()).toMatchObject({ image: { version: '3.2.0' } });
    // It is healthy before it is committed, and only then is anything to be done.
    await expect.poll(() => variable('KEK'), POLL).toEqual([keys.kek, other.kek].map(digestOf).sort());
    await expect.poll(after, POLL).toEqual([]);
    expect(await variable('db')).toEqual(trusted());
    await expect.poll(() => variable('dbx'), POLL).toEqual([fingerprint(keys.uki.certificate)]);
    await restart();
    expect(await running()).toBe('3.2.0');
  });

  test('what the old leaf signed starts no more, and the machine comes up with what it ran', async () => {
    await atRest();
    await onEsp(`cp /var/lib/old.efi ${ESP}/EFI/Linux/updating_3.0.0.efi`);
    await machine.root(
      `mkdir -p ${EFI}; mount -t efivarfs efivarfs ${EFI}; cd ${EFI}; v=LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f; ` +
        `chattr -i $v; (printf "\\007\\000\\000\\000"; printf updating_3.0.0.efi | sed "s/./&\\n/g" | tr "\\n" "\\000"; printf "\\000\\000") >/run/one-shot; ` +
        `cat /run/one-shot >$v; cd /; umount ${EFI}`,
    );
    const from = machine.machine.console().length;
    await restart();
    expect(machine.machine.console().slice(from)).toMatch(/Access denied|Security violation/i);
    expect(await running()).toBe('3.2.0');
  });

  test.each([
    { damaged: SYSTEMD, how: 'cut short' },
    { damaged: BOOT, how: 'cut short' },
    { damaged: BOOT, how: 'changed' },
  ])(
    '$damaged, $how: the machine starts through the other, which takes its place',
    async ({ damaged, how }) => {
      const good = await loaders();
      await onEsp(
        how === 'changed'
          ? `dd if=/dev/urandom of=${ESP}/${damaged} bs=4096 seek=4 count=1 conv=notrunc`
          : `dd if=/dev/zero of=${ESP}/${damaged} bs=1 count=0 seek=5000`,
      );
      expect((await loaders())[damaged]).not.toBe(good[damaged]);
      await restart();
      expect(await running()).toBe('3.2.0');
      await expect.poll(loaders, POLL).toEqual(good);
    },
  );

  test('an update that nobody signed, and one that no firmware has room for: refused, and said; the version is kept', async () => {
    await repository.publishChanges(versions.fourth, await hostile());
    expect(await machine.applyAndSettle()).toMatchObject({ image: { version: '3.3.0' } });
    await expect.poll(after, POLL).toMatchObject([
      { what: "Secure Boot's db", state: 'refused', why: 'the firmware refuses the update of db' },
      { what: "Secure Boot's dbx", state: 'refused', why: 'the firmware refuses the update of dbx' },
    ]);
    expect(await variable('db')).toEqual(trusted());
    expect(await variable('dbx')).toEqual([fingerprint(keys.uki.certificate)]);
    await restart();
    expect(await running()).toBe('3.3.0');
    expect(await machine.update('status')).toMatchObject({ committed: { version: '3.3.0' } });
  });

  function changes(
    files: Parameters<typeof openSecureBootChanges>[1],
    directory = KEYS,
  ): Promise<SecureBootChanges> {
    return openSecureBootChanges(directory, files, () => Promise.resolve(undefined));
  }

  /** What `db` holds in the end. */
  function trusted(): readonly string[] {
    return [keys.db, keys.sets.debug.db, other.db].map(digestOf).sort();
  }

  /** `dbx` signed by somebody whom the firmware does not know, the debug world's KEK; `db` by the right one, and larger than any variable may be. */
  async function hostile(): Promise<SecureBootChanges> {
    const signer = async (path: string, certificate: Uint8Array): Promise<Signer> => {
      const key = await readPrivateKey(path, () => Promise.resolve(undefined));
      return { certificate, chain: [], sign: (digest) => Promise.resolve(signDigest(key, digest)) };
    };
    const theirs = await signer(join(KEYS, 'debug/KEK.key'), keys.sets.debug.kek.certificate);
    const ours = await signer(join(KEYS, 'KEK.key'), keys.kek.certificate);
    const list = (certificates: readonly Uint8Array[]): Uint8Array =>
      signatureList(
        keys.owner,
        certificates.map((certificate) => ({ type: 'x509', certificate })),
      );
    const leaf = list([keys.sets.debug.signer.certificate]);
    const large = list(Array.from({ length: 50 }, () => randomBytes(1000)));
    return {
      retired: [],
      additions: [
        { variable: 'db', sign: () => authenticatedVariable('db', large, ours, new Date(), 'append') },
        { variable: 'dbx', sign: () => authenticatedVariable('dbx', leaf, theirs, new Date(), 'append') },
      ],
    };
  }

  async function after(): Promise<unknown> {
    return (await machine.update('status'))['after'];
  }

  async function running(): Promise<string> {
    return (await machine.status()).image.version;
  }

  /** What the machine does by itself after a start is done: it would undo what a test does to boot partition and variables. */
  async function atRest(): Promise<void> {
    const command =
      '[ -e /run/slipway/update/after.json ] && ! busybox ps -o args | grep -q "[s]witch.js" && echo at rest || echo busy';
    await expect.poll(() => machine.root(command), POLL).toBe('at rest\n');
  }

  async function restart(): Promise<void> {
    const seen = machine.machine.events.length;
    await machine.root('sync; reboot').catch(() => undefined);
    await machine.settled(seen);
  }

  function onEsp(command: string): Promise<string> {
    return machine.root(
      `mkdir -p ${ESP}; mount -t vfat /dev/vda1 ${ESP} && { ${command}; result=$?; sync; umount ${ESP}; exit $result; }`,
    );
  }

  async function loaders(): Promise<Record<string, string>> {
    const text = await onEsp(`cd ${ESP}; sha256sum ${BOOT} ${SYSTEMD}; cd /`);
    return Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/).reverse() as [string, string]),
    );
  }

  /** Fingerprints of what a variable holds, sorted. */
  async function variable(name: 'KEK' | 'db' | 'dbx'): Promise<readonly string[]> {
    const file = `${name}-${name === 'KEK' ? GLOBAL_VARIABLE : IMAGE_SECURITY}`;
    const hex = await machine.root(
      `mkdir -p ${EFI}; mount -t efivarfs efivarfs ${EFI}; busybox xxd -p ${EFI}/${file} 2>/dev/null; umount ${EFI}`,
    );
    return parseSignatureLists(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex').subarray(4))
      .map(({ digest }) => digest)
      .sort();
  }
});

async function forgetKeys(): Promise<void> {
  for (const directory of [NEXT_KEYS, OTHER_KEYS, KEYS_WITH_OTHER_KEK])
    await rm(directory, { recursive: true, force: true });
}

const POLL = { timeout: HEALTHY_LIMIT_MS, interval: 2000 };

function digestOf({ certificate }: { readonly certificate: Uint8Array }): string {
  return fingerprint(certificate);
}
