/**
 * The attacks that the TUF specification lists (1.5.2, "Threats"), and those of Slipway's own: stolen online keys, clocks, names. Each ends with
 * nothing believed that was not signed as it must be, and with an honest answer followed afterwards.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Brake } from '../../../../updater/release/document.ts';
import {
  metaFile,
  rolloutBody,
  snapshotBody,
  targetsBody,
  timestampBody,
} from '../../../../updater/repository/tuf/metadata.ts';
import { rootBody } from '../../../../updater/repository/tuf/root.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import {
  DAY_MS,
  EPOCH_MS,
  keysOf,
  makeRepository,
  makeRole,
  type TestRepository,
} from '../../tuf-repository.ts';
import { makeMachine, type TestMachine } from './machine.ts';

const scratch = scratchDirectory();
const GOOD = { sizeBytes: 1, sha256: 'a'.repeat(64) };
const EVIL = { sizeBytes: 1, sha256: 'e'.repeat(64) };
const LATER = new Date(EPOCH_MS + 300 * DAY_MS);

let repository: TestRepository;
let machine: TestMachine;

beforeEach(async () => {
  repository = await makeRepository({ channels: ['stable', 'beta'] });
  repository.targets = { r: GOOD };
  await repository.publish();
  machine = makeMachine(scratch, repository);
  await machine.refresh();
});

/** Refused with this fault; what is stored says the same as before; and an honest publication is followed. */
async function expectRefused(code: string, fetch = repository.fetch): Promise<void> {
  const before = await machine.load();
  await expect(machine.refresh(fetch)).rejects.toMatchObject({ code });
  const after = await machine.load();
  if (after !== undefined) expect([...after.targets]).toEqual([...(before?.targets ?? [])]);
  await expectRecovery();
}

async function expectRecovery(): Promise<void> {
  for (const name of ['root', 'targets', 'snapshot', 'timestamp', 'rollout-stable', 'rollout-beta'])
    repository.versions[name] = (repository.versions[name] ?? 0) + (name === 'root' ? 0 : 50);
  repository.targets = { r: GOOD, honest: GOOD };
  await repository.publish();
  expect((await machine.refresh()).targets.get('honest')).toBeDefined();
}

/** Serves what `change` makes of an honest answer. */
function tampered(change: (name: string, bytes: Uint8Array) => Uint8Array | 'missing') {
  return async (name: string, limitBytes: number): Promise<Uint8Array | 'missing'> => {
    const bytes = await repository.fetch(name, limitBytes);
    return bytes === 'missing' ? bytes : change(name, bytes);
  };
}

const flipped = (bytes: Uint8Array): Uint8Array => {
  const text = Buffer.from(bytes).toString();
  return Buffer.from(text.replace('"version":', '"version": ').replace(/[0-9a-f]{60}/, '0'.repeat(60)));
};

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

describe('a stolen rollout key', () => {
  const pause: Brake = { format: '1.0', releases: { r: { action: 'pause', reason: 'x' } } };

  test('changes what its channel may hold back, and nothing else', async () => {
    await serveRollout('stable', rolloutBody('stable', pause, { version: 9, expires: LATER }));
    const metadata = await machine.refresh();
    expect(metadata.rollout('stable')?.custom).toEqual({ slipway: pause });
    expect(metadata.rollout('beta')?.custom).toEqual({ slipway: { format: '1.0', releases: {} } });
    expect(metadata.targets.get('r')?.sha256).toBe(GOOD.sha256);
  });

  test('cannot speak for another channel, or for the root’s roles', async () => {
    const body = rolloutBody('beta', pause, { version: 9, expires: LATER });
    await serveRollout('beta', body, 'stable');
    await expectRefused('metadata.invalid');
    const evil = targetsBody({
      version: 99,
      expires: LATER,
      signedAt: new Date(EPOCH_MS),
      targets: { r: EVIL },
      channels: {},
    });
    const signers = repository.channels['stable']?.signers ?? [];
    const bytes = await repository.put('99.targets.json', evil, signers);
    await serveSnapshot((files) => ({ ...files, 'targets.json': metaFile(99, bytes) }));
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
  });

  test('cannot take the brake away by breaking it', async () => {
    await serveRollout('stable', {
      ...rolloutBody('stable', pause, { version: 9, expires: LATER }),
      _type: 'snapshot',
    });
    await expectRefused('metadata.invalid');
  });

  test('holds back for no longer than its document lives', async () => {
    await serveRollout(
      'stable',
      rolloutBody('stable', pause, { version: 9, expires: new Date(EPOCH_MS + DAY_MS) }),
    );
    machine.clockMs = EPOCH_MS + 2 * DAY_MS;
    expect((await machine.refresh()).rollout('stable')).toMatchObject({ expired: true });
  });

  test('delegated authority goes with the delegation, not with the name', async () => {
    // A role of the right name, delegated for more than its one path, or not as the last word, holds nothing back.
    for (const change of [{ paths: ['*'] }, { paths: ['rollout/stable', 'r'] }, { terminating: false }]) {
      const version = (repository.versions['targets'] = (repository.versions['targets'] ?? 0) + 1);
      const body = targetsBody({
        version,
        expires: LATER,
        signedAt: new Date(EPOCH_MS),
        targets: { r: GOOD },
        channels: Object.fromEntries(
          Object.entries(repository.channels).map(([name, role]) => [name, keysOf(role)]),
        ),
      });
      const delegations = body['delegations'] as { keys: object; roles: object[] };
      const roles = delegations.roles.map((role) => ({ ...role, ...change }));
      const bytes = await repository.put(
        `${version}.targets.json`,
        { ...body, delegations: { ...delegations, roles } },
        repository.roles.targets.signers,
      );
      await serveSnapshot((files) => ({ ...files, 'targets.json': metaFile(version, bytes) }));
      expect((await machine.refresh()).rollout('stable')).toBeUndefined();
    }
  });

  test('a channel whose key was rotated no longer hears the old one', async () => {
    const stolen = repository.channels['stable'];
    repository.channels = { ...repository.channels, stable: await makeRole() };
    await repository.publish();
    await machine.refresh();
    repository.channels = { ...repository.channels, ...(stolen === undefined ? {} : { stable: stolen }) };
    await serveRollout('stable', rolloutBody('stable', pause, { version: 99, expires: LATER }));
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
  });
});

describe('a stolen timestamp key', () => {
  test('cannot raise the clock floor, so it freezes nobody for ever', async () => {
    const bytes = repository.files.get('2.snapshot.json') ?? new Uint8Array();
    const body = timestampBody({
      version: 50,
      expires: new Date('2099-01-01T00:00:00Z'),
      snapshot: metaFile(2, bytes),
    });
    await repository.put(
      'timestamp.json',
      { ...body, 'x-slipway-signed-at': '2098-01-01T00:00:00Z' },
      repository.roles.timestamp.signers,
    );
    expect((await machine.refresh()).nowMs).toBe(machine.clockMs);
    expect((await machine.load())?.nowMs).toBe(machine.clockMs);
    // Found out, and rotated: an ordinary publication is followed at once.
    await repository.rotateRoot({ timestamp: await makeRole() });
    repository.versions['timestamp'] = 3;
    await expectRecovery();
  });

  test('brings in nothing, not even with what it can write to the disk', async () => {
    const evil = targetsBody({
      version: 2,
      expires: LATER,
      signedAt: new Date(EPOCH_MS),
      targets: { r: EVIL },
      channels: {},
    });
    const { signers } = await makeRole();
    const { writeFileSync } = await import('node:fs');
    const targets = await repository.put('evil', evil, signers);
    const files = { 'targets.json': metaFile(2, targets) };
    const snapshot = await repository.put(
      'evil',
      snapshotBody({ version: 2, expires: LATER, files }),
      signers,
    );
    writeFileSync(join(machine.directory, 'targets.json'), targets);
    writeFileSync(join(machine.directory, 'snapshot.json'), snapshot);
    await repository.put(
      'timestamp.json',
      timestampBody({ version: 50, expires: LATER, snapshot: metaFile(2, snapshot) }),
      repository.roles.timestamp.signers,
    );
    await expect(machine.refresh()).rejects.toThrow();
    expect(await machine.load()).toBeUndefined();
    await expectRecovery();
  });
});

describe('clocks', () => {
  test('failure 38: ten years back, expiry is judged by what offline keys have signed', async () => {
    machine.clockMs = EPOCH_MS - 3650 * DAY_MS;
    await repository.publish();
    const metadata = await machine.refresh();
    expect(metadata.nowMs).toBe(EPOCH_MS);
    // A timestamp that ended before the newest targets were signed is no freeze that one could hide.
    repository.nowMs = EPOCH_MS + 100 * DAY_MS;
    await repository.publish();
    await machine.refresh();
    repository.nowMs = EPOCH_MS;
    repository.versions['timestamp'] = 500;
    await repository.refresh();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
  });

  test('failure 38: fifty years ahead nothing is believed and nothing is spoilt; with the right time all goes on', async () => {
    machine.clockMs = EPOCH_MS + 50 * 365 * DAY_MS;
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    expect((await machine.load())?.timestampExpired).toBe(true);
    machine.clockMs = EPOCH_MS + 3_600_000;
    const metadata = await machine.refresh();
    expect(metadata).toMatchObject({ timestampExpired: false, nowMs: machine.clockMs });
  });

  test('an image is never older than its build', async () => {
    machine.clockMs = 0;
    machine.buildTimeMs = EPOCH_MS + 30 * DAY_MS;
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
  });

  test('targets with a date far ahead, signed by mistake or with a stolen key, are undone by rotating that key', async () => {
    repository.nowMs = Date.parse('2090-01-01T00:00:00Z');
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    expect(await machine.load()).toMatchObject({ nowMs: repository.nowMs, timestampExpired: true });
    repository.nowMs = EPOCH_MS;
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    await repository.rotateRoot({ targets: await makeRole(2) });
    await repository.publish();
    expect((await machine.refresh()).nowMs).toBe(machine.clockMs);
  });
});

test('failure 39: a timestamp that was not signed again in time stops new updates alone, and is told', async () => {
  machine.clockMs = EPOCH_MS + 9 * DAY_MS;
  await expect(machine.refresh()).rejects.toMatchObject({
    code: 'metadata.expired',
    hint: expect.stringContaining('slipway repo refresh') as string,
  });
  const stored = await machine.load();
  expect(stored?.timestampExpired).toBe(true);
  expect(stored?.targets.size).toBe(1);
});

test('what is stored after an attack is what was there, byte for byte', async () => {
  const stored = (): string[] =>
    ['timestamp.json', 'snapshot.json', 'targets.json'].map((name) =>
      readFileSync(join(machine.directory, name), 'utf8'),
    );
  const before = stored();
  const other = await makeRepository();
  await expect(machine.refresh(other.fetch)).rejects.toMatchObject({ code: 'metadata.invalid' });
  expect(stored()).toEqual(before);
});

/** As somebody with the keys of snapshot and timestamp would. */
async function serveSnapshot(
  change: (files: Record<string, ReturnType<typeof metaFile>>) => Record<string, ReturnType<typeof metaFile>>,
): Promise<void> {
  const current = repository.files.get(`${repository.versions['snapshot'] ?? 0}.snapshot.json`);
  const { signed } = JSON.parse(Buffer.from(current ?? []).toString()) as {
    signed: { meta: Record<string, ReturnType<typeof metaFile>> };
  };
  const version = (repository.versions['snapshot'] = (repository.versions['snapshot'] ?? 0) + 1);
  await repository.put(
    `${version}.snapshot.json`,
    snapshotBody({ version, expires: LATER, files: change(signed.meta) }),
    repository.roles.snapshot.signers,
  );
  await repository.refresh();
}

/** As somebody with a channel's key would, once snapshot and timestamp take up what it signed. */
async function serveRollout(
  channel: string,
  body: ReturnType<typeof rolloutBody>,
  signedBy = channel,
): Promise<void> {
  const name = `rollout-${channel}`;
  const bytes = await repository.put(
    `${body.version}.${name}.json`,
    body,
    repository.channels[signedBy]?.signers ?? [],
  );
  await serveSnapshot((files) => ({ ...files, [`${name}.json`]: metaFile(body.version, bytes) }));
}
