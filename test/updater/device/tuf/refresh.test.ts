/** A machine follows an honest repository: what it learns, what it fetches, what it keeps. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { DAY_MS, EPOCH_MS, makeRepository, makeRole } from '../../tuf-repository.ts';
import { makeMachine } from './machine.ts';

const scratch = scratchDirectory();
const RELEASE = { sizeBytes: 5, sha256: 'a'.repeat(64), custom: { version: '1.1' } };

describe('following', () => {
  test('a first refresh fetches each document once, and says what is in them', async () => {
    const repository = await makeRepository({ channels: ['stable', 'beta'] });
    repository.targets = { 'release_x_1.1_amd64.json': RELEASE };
    repository.brakes = { stable: { format: '1.0', releases: { r: { action: 'pause', reason: 'fire' } } } };
    await repository.publish();
    const machine = makeMachine(scratch, repository);
    const metadata = await machine.refresh(undefined, { channels: ['stable'] });
    expect(repository.requests).toEqual([
      '2.root.json',
      'timestamp.json',
      '2.snapshot.json',
      '2.targets.json',
      '2.rollout-stable.json',
    ]);
    expect([...metadata.targets]).toEqual([
      [
        'release_x_1.1_amd64.json',
        { lengthBytes: 5, sha256: 'a'.repeat(64), custom: { slipway: { version: '1.1' } } },
      ],
    ]);
    expect(metadata.rollout('stable')).toEqual({
      custom: { slipway: repository.brakes['stable'] },
      expired: false,
    });
    expect(metadata.rollout('beta')).toBeUndefined();
    expect(metadata.rollout('nightly')).toBeUndefined();
    expect(metadata.timestampExpired).toBe(false);
    expect(metadata.nowMs).toBe(machine.clockMs);
  });

  test('with a new timestamp alone nothing else is fetched; what is stored is the repository’s, byte for byte', async () => {
    const repository = await makeRepository();
    const machine = makeMachine(scratch, repository);
    await machine.refresh();
    await repository.refresh();
    repository.requests.length = 0;
    await machine.refresh();
    expect(repository.requests).toEqual(['2.root.json', 'timestamp.json']);
    expect(readdirSync(machine.directory).sort()).toEqual([
      'rollout-stable.json',
      'snapshot.json',
      'targets.json',
      'timestamp.json',
    ]);
    const stored = (name: string): Uint8Array => new Uint8Array(readFileSync(join(machine.directory, name)));
    expect(stored('timestamp.json')).toEqual(repository.files.get('timestamp.json'));
    expect(stored('targets.json')).toEqual(repository.files.get('1.targets.json'));
  });

  test('what is stored can be looked at without a network, and says when its time is over', async () => {
    const repository = await makeRepository();
    repository.targets = { x: RELEASE };
    await repository.publish();
    const machine = makeMachine(scratch, repository);
    expect(await machine.load()).toBeUndefined();
    const fresh = await machine.refresh();
    const loaded = await machine.load();
    expect(loaded?.targets).toEqual(fresh.targets);
    expect(loaded?.timestampExpired).toBe(false);
    machine.clockMs += 8 * DAY_MS;
    expect((await machine.load())?.timestampExpired).toBe(true);
    expect((await machine.load())?.rollout('stable')?.expired).toBe(false);
    machine.clockMs += 8 * DAY_MS;
    expect((await machine.load())?.rollout('stable')?.expired).toBe(true);
  });

  test('a brake that has expired is reported, and stops nothing else', async () => {
    const repository = await makeRepository();
    repository.days['rollout'] = 1;
    await repository.publish();
    const machine = makeMachine(scratch, repository);
    machine.clockMs = EPOCH_MS + 2 * DAY_MS;
    expect((await machine.refresh()).rollout('stable')).toMatchObject({ expired: true });
  });
});

describe('roots', () => {
  test('each version is kept under its number, and none is written over', async () => {
    const repository = await makeRepository();
    const image = repository.root();
    const machine = makeMachine(scratch, repository, image);
    for (let turn = 0; turn < 3; turn++) {
      await repository.rotateRoot({ timestamp: await makeRole() });
      await repository.publish();
    }
    await machine.refresh();
    expect(readdirSync(join(machine.directory, 'roots')).sort()).toEqual([
      '2.root.json',
      '3.root.json',
      '4.root.json',
    ]);
    const second = readFileSync(join(machine.directory, 'roots/2.root.json'));
    await repository.rotateRoot();
    repository.requests.length = 0;
    await machine.refresh();
    expect(repository.requests.slice(0, 2)).toEqual(['5.root.json', '6.root.json']);
    expect(readFileSync(join(machine.directory, 'roots/2.root.json'))).toEqual(second);
    expect(readFileSync(join(machine.directory, 'root.json'))).toEqual(
      readFileSync(join(machine.directory, 'roots/5.root.json')),
    );
  });

  test('more rotations than one refresh follows are followed by the next', async () => {
    const repository = await makeRepository();
    const image = repository.root();
    const machine = makeMachine(scratch, repository, image);
    for (let turn = 0; turn < 5; turn++) {
      await repository.rotateRoot({ root: await makeRole(2), timestamp: await makeRole() });
    }
    await repository.publish();
    const limits = { rootRotations: 2 };
    await expect(machine.refresh(undefined, { limits })).rejects.toMatchObject({ code: 'metadata.invalid' });
    await expect(machine.refresh(undefined, { limits })).rejects.toMatchObject({ code: 'metadata.invalid' });
    repository.requests.length = 0;
    await machine.refresh(undefined, { limits });
    expect(repository.requests.slice(0, 3)).toEqual(['6.root.json', '7.root.json', 'timestamp.json']);
  });

  test('failure 41: offline for two years, then three rotations of root that each expired long ago but the last', async () => {
    const repository = await makeRepository();
    repository.days['root'] = 300;
    const machine = makeMachine(scratch, repository);
    await machine.refresh();
    for (let turn = 1; turn <= 3; turn++) {
      repository.nowMs = EPOCH_MS + turn * 240 * DAY_MS;
      await repository.rotateRoot({
        root: await makeRole(3, 2),
        targets: await makeRole(),
        snapshot: await makeRole(),
        timestamp: await makeRole(),
      });
    }
    await repository.publish();
    machine.clockMs = EPOCH_MS + 722 * DAY_MS;
    const metadata = await machine.refresh();
    expect(metadata.timestampExpired).toBe(false);
    expect(readdirSync(join(machine.directory, 'roots'))).toHaveLength(3);
    // And when its clock stood still meanwhile.
    const stopped = makeMachine(scratch, repository, repository.files.get('1.root.json'));
    stopped.clockMs = EPOCH_MS;
    expect((await stopped.refresh()).nowMs).toBe(EPOCH_MS + 720 * DAY_MS);
  });

  test('an image with a newer root than the stored one starts from its own', async () => {
    const repository = await makeRepository();
    const old = makeMachine(scratch, repository);
    await old.refresh();
    await repository.rotateRoot({ timestamp: await makeRole() });
    await repository.publish();
    repository.requests.length = 0;
    const updated = { ...old, directory: old.directory };
    await updated.refresh(undefined, { root: repository.root() });
    expect(repository.requests.slice(0, 2)).toEqual(['3.root.json', 'timestamp.json']);
  });
});
