/**
 * Online keys in the wrong hands: a channel's rollout key, the timestamp key. They can hold back, and bring in nothing.
 */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Brake } from '../../../../updater/release/document.ts';
import {
  metaFile,
  rolloutBody,
  snapshotBody,
  targetsBody,
  timestampBody,
} from '../../../../updater/repository/tuf/metadata.ts';
import { DAY_MS, EPOCH_MS, keysOf, makeRole } from '../../tuf-repository.ts';
import {
  GOOD,
  EVIL,
  LATER,
  repository,
  machine,
  expectRefused,
  expectRecovery,
  serveSnapshot,
  serveRollout,
} from './attacked.ts';

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

  test('cannot fast-forward its channel for good: with the snapshot key rotated, low numbers count again', async () => {
    const version = Number.MAX_SAFE_INTEGER - 1;
    await serveRollout('stable', rolloutBody('stable', pause, { version, expires: LATER }));
    expect((await machine.refresh()).rollout('stable')?.custom).toEqual({ slipway: pause });
    // An honest publisher goes on with its own numbers: that is a rollback, until snapshot has another key.
    repository.versions = { ...repository.versions, 'rollout-stable': 20 };
    repository.channels = { ...repository.channels, stable: await makeRole() };
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.rollback' });
    await repository.rotateRoot({ snapshot: await makeRole(), timestamp: await makeRole() });
    await repository.publish();
    expect((await machine.refresh()).rollout('stable')?.custom).toEqual({
      slipway: { format: '1.0', releases: {} },
    });
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
