/**
 * The attacks that the TUF specification lists (1.5.2, "Threats"). Each ends with nothing believed that was not signed as it must be, and with an honest answer
 * followed afterwards.
 */
import { describe, expect, test } from 'vitest';
import {
  metaFile,
  rolloutBody,
  snapshotBody,
  timestampBody,
} from '../../../../updater/repository/tuf/metadata.ts';
import { rootBody } from '../../../../updater/repository/tuf/root.ts';
import { DAY_MS, EPOCH_MS, keysOf, makeRepository, makeRole } from '../../tuf-repository.ts';
import {
  GOOD,
  EVIL,
  LATER,
  repository,
  machine,
  expectRefused,
  expectRecovery,
  tampered,
  flipped,
  serveSnapshot,
  serveRollout,
} from './attacked.ts';

describe('attacks of the specification', () => {
  test.each(['timestamp.json', 'snapshot.json', 'targets.json', 'rollout-stable.json'])(
    'arbitrary installation: a changed %s',
    async (document) => {
      await repository.publish();
      await expectRefused(
        'metadata.invalid',
        tampered((name, bytes) => (name.endsWith(document) ? flipped(bytes) : bytes)),
      );
    },
  );

  test('arbitrary installation: everything signed with keys of the attacker', async () => {
    const other = await makeRepository();
    other.targets = { r: EVIL };
    other.versions = { ...repository.versions };
    await other.publish();
    const evil = (name: string, limitBytes: number) =>
      /root/.test(name) ? repository.fetch(name, limitBytes) : other.fetch(name, limitBytes);
    await expectRefused('metadata.invalid', evil);
  });

  test('arbitrary installation: a root of the attacker, in the next version', async () => {
    const other = await makeRepository();
    const evil = await other.rotateRoot();
    await expectRefused('metadata.invalid', async (name, limitBytes) =>
      name === '2.root.json' ? evil : repository.fetch(name, limitBytes),
    );
  });

  test.each([
    ['timestamp.json', 16_384],
    ['3.snapshot.json', 65_536],
    ['3.targets.json', 1_048_576],
    ['2.root.json', 65_536],
  ])('endless data: %s is never asked for without a limit', async (document, atMost) => {
    await repository.publish();
    const limits: Record<string, number> = {};
    await machine.refresh((name, limitBytes) => {
      limits[name] = limitBytes;
      return repository.fetch(name, limitBytes);
    });
    expect(limits[document]).toBeLessThanOrEqual(atMost);
    if (/snapshot|targets/.test(document))
      expect(limits[document]).toBe(repository.files.get(document)?.length);
    await repository.publish();
    const endless = (name: string, limitBytes: number) =>
      name.endsWith(document.replace(/^\d+\./, ''))
        ? Promise.reject(new Error(`more than ${limitBytes} bytes`))
        : repository.fetch(name, limitBytes);
    await expect(machine.refresh(endless)).rejects.toThrow('more than');
    await expectRecovery();
  });

  test.each([
    ['deeply nested', '['.repeat(16_000)],
    ['a deep object', `${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`],
    ['no JSON', 'hello'],
    ['nothing', ''],
    ['null', 'null'],
    ['prototypes', '{"signed":{"__proto__":{"_type":"timestamp"}},"signatures":[]}'],
    ['bytes that are no text', '\u{d800}'],
  ])('a document that is %s breaks nothing', async (_, text) => {
    await expectRefused(
      'metadata.invalid',
      tampered((name, bytes) => (name === 'timestamp.json' ? Buffer.from(text, 'utf8') : bytes)),
    );
  });

  test('extraneous dependencies: what a delegated role lists is no target', async () => {
    const body = rolloutBody('stable', { format: '1.0', releases: {} }, { version: 9, expires: LATER });
    const targets = {
      ...(body['targets'] as object),
      r: { length: 1, hashes: { sha256: EVIL.sha256 } },
      new: { length: 1, hashes: { sha256: GOOD.sha256 } },
    };
    await serveRollout('stable', { ...body, targets });
    const metadata = await machine.refresh();
    expect(metadata.targets.get('r')?.sha256).toBe(GOOD.sha256);
    expect([...metadata.targets.keys()]).toEqual(['r']);
  });

  test('fast-forward: versions raised as far as they go are undone by rotating the online keys', async () => {
    const stolen = repository.roles;
    const versions = { ...repository.versions };
    for (const name of ['snapshot', 'timestamp']) repository.versions[name] = Number.MAX_SAFE_INTEGER - 10;
    await repository.publish();
    await machine.refresh();
    repository.versions = {
      ...versions,
      root: versions['root'] ?? 0,
      targets: 40,
      'rollout-stable': 40,
      'rollout-beta': 40,
    };
    await repository.rotateRoot({ snapshot: await makeRole(), timestamp: await makeRole() });
    repository.targets = { r: GOOD, honest: GOOD };
    await repository.publish();
    expect((await machine.refresh()).targets.get('honest')).toBeDefined();
    // And the stolen keys are of no use any more.
    repository.roles = stolen;
    repository.versions = { ...repository.versions, snapshot: 5e9, timestamp: 5e9 };
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
  });

  test('indefinite freeze: an old timestamp is of use until it expires, not a day longer', async () => {
    const frozen = repository.files.get('timestamp.json');
    machine.clockMs = EPOCH_MS + 6 * DAY_MS;
    expect((await machine.refresh()).timestampExpired).toBe(false);
    machine.clockMs = EPOCH_MS + 8 * DAY_MS;
    expect(repository.files.get('timestamp.json')).toBe(frozen);
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    expect((await machine.load())?.timestampExpired).toBe(true);
    repository.nowMs = machine.clockMs;
    await repository.refresh();
    expect((await machine.refresh()).timestampExpired).toBe(false);
  });

  test.each(['root', 'snapshot', 'targets'])(
    'indefinite freeze: an expired %s stops, a new one goes on',
    async (name) => {
      repository.days[name] = 1;
      if (name === 'root') await repository.rotateRoot();
      await repository.publish();
      machine.clockMs = EPOCH_MS + 2 * DAY_MS;
      await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
      repository.days[name] = 400;
      if (name === 'root') await repository.rotateRoot();
      await repository.publish();
      expect((await machine.refresh()).timestampExpired).toBe(false);
    },
  );

  test('malicious mirror: it can only keep silent', async () => {
    await repository.publish();
    const before = await machine.load();
    for (const missing of ['timestamp.json', '3.snapshot.json', '3.targets.json', '3.rollout-stable.json']) {
      await expect(
        machine.refresh(tampered((name, bytes) => (name === missing ? 'missing' : bytes))),
      ).rejects.toMatchObject({ code: 'metadata.try-later' });
      const after = await machine.load();
      expect([...(after?.targets ?? [])]).toEqual([...(before?.targets ?? [])]);
      // What is stored no longer fits together: nothing is begun on its word.
      expect(after?.timestampExpired).toBe(/snapshot|targets/.test(missing));
    }
    await machine.refresh();
  });

  test.each(['stale', 'tampered', 'empty'])(
    'malicious mirror: a first one that is %s does not silence the second',
    async (kind) => {
      const old = new Map(repository.files);
      repository.targets = { r: GOOD, honest: GOOD };
      await repository.publish();
      await machine.refresh();
      const hostile = (name: string): Promise<Uint8Array | 'missing'> => {
        const bytes =
          kind === 'stale' ? old.get(name) : kind === 'tampered' ? repository.files.get(name) : undefined;
        return Promise.resolve(
          bytes === undefined ? 'missing' : kind === 'tampered' ? flipped(bytes) : bytes,
        );
      };
      repository.targets = { r: GOOD, honest: GOOD, newest: GOOD };
      await repository.publish();
      await expect(machine.refresh(hostile)).rejects.toMatchObject({
        code: expect.stringMatching(/^metadata[.]/) as string,
      });
      const metadata = await machine.refresh(hostile, { others: () => [hostile, repository.fetch] });
      expect(metadata.targets.get('newest')).toBeDefined();
    },
  );

  test('malicious mirror: it changes its mind between two requests', async () => {
    const old = new Map(repository.files);
    await repository.publish();
    const fickle = (name: string, limitBytes: number) =>
      name === 'timestamp.json' || /root/.test(name)
        ? repository.fetch(name, limitBytes)
        : Promise.resolve(old.get(name.replace('3.', '2.')) ?? ('missing' as const));
    await expectRefused('metadata.invalid', fickle);
  });

  test('mix-and-match: documents of different times do not go together', async () => {
    const oldTargets = repository.files.get('2.targets.json') ?? new Uint8Array();
    repository.targets = { r: GOOD, fix: GOOD };
    await repository.publish();
    await expectRefused(
      'metadata.invalid',
      tampered((name, bytes) => (name === '3.targets.json' ? oldTargets : bytes)),
    );
  });

  test('mix-and-match, with the stolen snapshot key: the timestamp tells snapshots apart', async () => {
    await repository.publish();
    const version = repository.versions['snapshot'] ?? 0;
    const files = { 'targets.json': metaFile(2, repository.files.get('2.targets.json') ?? new Uint8Array()) };
    await repository.put(
      `${version}.snapshot.json`,
      snapshotBody({ version, expires: LATER, files }),
      repository.roles.snapshot.signers,
    );
    await expectRefused('metadata.invalid');
  });

  test('rollback: of the timestamp', async () => {
    const old = repository.files.get('timestamp.json') ?? new Uint8Array();
    await repository.refresh();
    await machine.refresh();
    await expectRefused(
      'metadata.rollback',
      tampered((name, bytes) => (name === 'timestamp.json' ? old : bytes)),
    );
  });

  test('rollback, with the stolen timestamp key: of the snapshot', async () => {
    const first = repository.files.get('1.snapshot.json') ?? new Uint8Array();
    await repository.put(
      'timestamp.json',
      timestampBody({ version: 99, expires: LATER, snapshot: metaFile(1, first) }),
      repository.roles.timestamp.signers,
    );
    await expectRefused('metadata.rollback');
  });

  test.each(['targets', 'rollout-stable'])(
    'rollback, with stolen timestamp and snapshot keys: of %s',
    async (role) => {
      const old = repository.files.get(`1.${role}.json`) ?? new Uint8Array();
      await serveSnapshot((files) => ({ ...files, [`${role}.json`]: metaFile(1, old) }));
      await expectRefused('metadata.rollback');
    },
  );

  test('rollback, with stolen timestamp and snapshot keys: a role that disappears', async () => {
    await serveSnapshot(({ 'rollout-stable.json': _, ...files }) => files);
    await expectRefused('metadata.rollback');
  });

  test('key compromise below the threshold: one of two targets keys signs nothing', async () => {
    const [one, two] = await Promise.all([makeRole(1), makeRole(1)]);
    const role = { threshold: 2, signers: [...one.signers, ...two.signers] };
    await repository.rotateRoot({ targets: role });
    await repository.publish();
    await machine.refresh();
    repository.targets = { r: EVIL };
    repository.roles = { ...repository.roles, targets: { threshold: 2, signers: one.signers } };
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
    expect((await machine.load())?.targets.get('r')?.sha256 ?? GOOD.sha256).toBe(GOOD.sha256);
    // Its signature twice, under two names, is still one.
    const [signer] = one.signers;
    repository.roles = {
      ...repository.roles,
      targets: {
        threshold: 2,
        signers: [one.signers[0], { ...signer, keyId: two.signers[0]?.keyId }] as never,
      },
    };
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
    repository.roles = { ...repository.roles, targets: role };
    await expectRecovery();
  });

  test('key compromise below the threshold: one root key of three makes no root', async () => {
    const [stolen] = repository.roles.root.signers;
    const roles = Object.fromEntries(
      Object.entries({ ...repository.roles, targets: await makeRole() }).map(([name, role]) => [
        name,
        keysOf(role),
      ]),
    );
    await repository.put(
      '2.root.json',
      rootBody({ version: 2, expires: LATER, roles: roles as never }, new Date(EPOCH_MS)),
      stolen === undefined ? [] : [stolen],
    );
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
    repository.files.delete('2.root.json');
    await expectRecovery();
  });

  test('wrong software: one release under the name of another is refused by the digest of its name', async () => {
    repository.targets = { r: GOOD, other: EVIL };
    await repository.publish();
    const { targets } = await machine.refresh();
    expect(targets.get('r')).toMatchObject({ sha256: GOOD.sha256, lengthBytes: 1 });
    expect(targets.get('other')).toMatchObject({ sha256: EVIL.sha256 });
  });
});
