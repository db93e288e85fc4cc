/** What clients see while a repository changes, whenever that is cut off. */
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { evenCurve, INSTANT } from '../../../updater/release/curve.ts';
import type { ReleaseEntry } from '../../../updater/release/document.ts';
import { releaseTargetName } from '../../../updater/release/names.ts';
import { initTufKeys } from '../../../updater/repository/keys/init.ts';
import { loadTufKeys, type TufKeys } from '../../../updater/repository/keys/load.ts';
import { rotateRole } from '../../../updater/repository/keys/rotate.ts';
import { changeBrake } from '../../../updater/repository/release/brake.ts';
import { repositoryFiles, type RepositoryFiles } from '../../../updater/repository/repository/files.ts';
import { initRepository } from '../../../updater/repository/repository/init.ts';
import { publish } from '../../../updater/repository/repository/publish.ts';
import { checkExpiry, refreshRepository } from '../../../updater/repository/repository/refresh.ts';
import { readPublished } from '../../../updater/repository/repository/state.ts';
import type { TargetEntry } from '../../../updater/repository/tuf/metadata.ts';
import { readAsClient } from '../../../updater/repository/verify/client.ts';
import { scratchDirectory } from '../../builder/scratch.ts';
import { ENTRY } from '../release/samples.ts';

const scratch = scratchDirectory();
const NOW = new Date('2026-03-01T00:00:00Z');
const later = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);
let keys: TufKeys;
let base: string;
let count = 0;

const root = (): Uint8Array => keys.rootChain[0]?.bytes ?? new Uint8Array();

beforeAll(async () => {
  const directory = join(scratch, 'keys');
  await mkdir(directory);
  await initTufKeys(directory, { now: NOW });
  keys = await loadTufKeys(directory);
  base = join(scratch, 'base');
  await initRepository(base, keys, { now: NOW });
});

async function copyOf(directory: string): Promise<string> {
  const copy = join(scratch, `copy${++count}`);
  await cp(directory, copy, { recursive: true });
  return copy;
}

function entry(version: string, rest: Partial<ReleaseEntry> = {}): Record<string, TargetEntry> {
  const one = { ...ENTRY, version, ...rest };
  return { [releaseTargetName(one)]: { sizeBytes: 10, sha256: 'a'.repeat(64), custom: one } };
}

async function publishVersions(
  directory: string,
  versions: readonly string[],
  options: { readonly files?: RepositoryFiles; readonly now?: Date; readonly keys?: TufKeys } = {},
) {
  const files = options.files ?? repositoryFiles(directory);
  const own = options.keys ?? keys;
  const state = await readPublished(files, own);
  const targets = Object.assign({}, ...versions.map((version) => entry(version))) as Record<
    string,
    TargetEntry
  >;
  return publish(files, state, own, { targets }, options.now ?? NOW);
}

async function seen(directory: string, now = NOW): Promise<readonly string[]> {
  const view = await readAsClient(repositoryFiles(directory), root(), now);
  return [...view.targets.targets.values()].map(({ custom }) => (custom as ReleaseEntry).version);
}

/** Power goes at the nth write: before it, or half-way through a file that is not in its place yet. */
function cutAt(files: RepositoryFiles, n: number): RepositoryFiles {
  let done = 0;
  const next = async (work: () => Promise<void>, name: string): Promise<void> => {
    if (++done > n) {
      await writeFile(join(files.directory, `${name}.99999999.0123456789ab.tmp`), 'half');
      throw new Error('cut');
    }
    await work();
  };
  return {
    ...files,
    write: (name, bytes) => next(() => files.write(name, bytes), name),
    adopt: (temporary, name) => next(() => files.adopt(temporary, name), name),
  };
}

describe('failure 7: a repository is read while it is written', () => {
  test('cut off at any write, clients see the old state or the new one, and running it again completes it', async () => {
    let cuts = 0;
    for (let n = 0; ; n++) {
      const directory = await copyOf(base);
      const cut = await publishVersions(directory, ['1.1.0'], {
        files: cutAt(repositoryFiles(directory), n),
      }).then(
        () => false,
        () => true,
      );
      expect(await seen(directory)).toEqual(cut ? [] : ['1.1.0']);
      if (!cut) break;
      cuts++;
      await publishVersions(directory, ['1.1.0']);
      expect(await seen(directory)).toEqual(['1.1.0']);
    }
    expect(cuts).toBe(3);
  });

  test('a client that is slow finds every file of the state that it began with', async () => {
    const directory = await copyOf(base);
    await publishVersions(directory, ['1.1.0']);
    const files = repositoryFiles(directory);
    const timestamp = await files.read('timestamp.json');
    await publishVersions(directory, ['1.1.0', '1.2.0']);
    const stale: RepositoryFiles = {
      ...files,
      read: (name) => (name === 'timestamp.json' ? Promise.resolve(timestamp) : files.read(name)),
    };
    const view = await readAsClient(stale, root(), NOW);
    expect([...view.targets.targets.keys()]).toEqual([releaseTargetName({ ...ENTRY, version: '1.1.0' })]);
  });

  test('no file but timestamp.json is ever written twice', async () => {
    const directory = await copyOf(base);
    const written: string[] = [];
    const files = repositoryFiles(directory);
    const watched: RepositoryFiles = {
      ...files,
      write: (name, bytes) => {
        written.push(name);
        return files.write(name, bytes);
      },
    };
    // A number that was used up by a publication that was cut off is not used again.
    await publishVersions(directory, ['1.1.0'], { files: cutAt(watched, 1) }).catch(() => undefined);
    await publishVersions(directory, ['1.1.1'], { files: watched });
    await publishVersions(directory, ['1.1.1', '1.2.0'], { files: watched });
    const immutable = written.filter((name) => name !== 'timestamp.json');
    expect(new Set(immutable).size).toBe(immutable.length);
    expect(immutable).toContain('4.targets.json');
  });
});

test('failure 9: how many releases there are changes nothing in how many files are fetched', async () => {
  const requests = async (versions: readonly string[]): Promise<number> => {
    const directory = await copyOf(base);
    await publishVersions(directory, versions);
    const files = repositoryFiles(directory);
    let reads = 0;
    const counted: RepositoryFiles = {
      ...files,
      read: (name) => {
        reads++;
        return files.read(name);
      },
    };
    const view = await readAsClient(counted, root(), NOW);
    expect(view.targets.targets.size).toBe(versions.length);
    return reads;
  };
  const many = Array.from({ length: 91 }, (_, index) => `1.${index}.0`);
  expect(await requests(many)).toBe(await requests(['1.0.0']));
});

describe('failure 39: nobody signs the timestamp anew', () => {
  test('refresh says early what will expire, and signs what it has the keys for', async () => {
    const directory = await copyOf(base);
    expect((await checkExpiry(directory, keys, later(1))).filter(({ state }) => state !== 'valid')).toEqual(
      [],
    );
    // The timestamp is valid for 7 days: with less than a quarter left, monitoring hears of it.
    const late = await checkExpiry(directory, keys, later(6));
    expect(late.map(({ role, state }) => [role, state])).toContainEqual(['timestamp', 'soon']);
    const over = await checkExpiry(directory, keys, later(8));
    expect(over[0]).toMatchObject({ role: 'timestamp', state: 'expired' });
    await expect(readAsClient(repositoryFiles(directory), root(), later(8))).rejects.toMatchObject({
      code: 'repository.refused',
    });
    const { publication, expiries } = await refreshRepository(directory, keys, later(8));
    // Brake and snapshot had less than half of their time.
    expect(publication.signed).toEqual(['rollout-stable', 'snapshot', 'timestamp']);
    expect(expiries.every(({ state }) => state === 'valid')).toBe(true);
    expect(await seen(directory, later(8))).toEqual([]);
  });

  test('refreshed in time, it stays valid for a year; then targets and root need their offline keys', async () => {
    const directory = join(scratch, 'monthly');
    await initRepository(directory, keys, {
      validDays: { timestamp: 30, snapshot: 60, rollout: 60 },
      now: NOW,
    });
    const online: TufKeys = {
      ...keys,
      available: (role) => (role === 'targets' || role === 'root' ? [] : keys.available(role)),
    };
    const warned: string[] = [];
    for (let day = 20; day <= 360; day += 20) {
      const { expiries, publication } = await refreshRepository(directory, online, later(day));
      for (const { role, state } of expiries)
        if (state !== 'valid' && !warned.includes(role)) warned.push(role);
      expect(publication.signed).toContain('timestamp');
      await readAsClient(repositoryFiles(directory), root(), later(day));
    }
    expect(warned).toEqual(['targets']);
    const { publication } = await refreshRepository(directory, online, later(364));
    expect(publication.waitingFor).toEqual(['targets']);
    const { expiries } = await refreshRepository(directory, keys, later(364));
    expect(expiries.every(({ state }) => state === 'valid')).toBe(true);
  });
});

describe('keys', () => {
  test('offline keys sign in one place, online keys publish in another', async () => {
    const directory = await copyOf(base);
    const offline: TufKeys = {
      ...keys,
      available: (role) => (role === 'snapshot' || role === 'timestamp' ? [] : keys.available(role)),
    };
    const first = await publishVersions(directory, ['1.1.0'], { keys: offline });
    expect(first).toEqual({ signed: ['targets'], waitingFor: ['snapshot', 'timestamp'] });
    expect(await seen(directory)).toEqual([]);
    await refreshRepository(directory, keys, NOW);
    expect(await seen(directory)).toEqual(['1.1.0']);
  });

  test('after a rotation of every role, the next refresh publishes the new root and all that follows', async () => {
    const directory = await copyOf(base);
    await publishVersions(directory, ['1.1.0']);
    const keysCopy = await copyOf(join(scratch, 'keys'));
    for (const role of ['targets', 'snapshot', 'timestamp', 'rollout-stable'] as const)
      await rotateRole(keysCopy, role, { passphrase: () => Promise.resolve(undefined), now: NOW });
    const rotated = await loadTufKeys(keysCopy);
    expect(rotated.root.version).toBe(4);
    const { signed } = (await refreshRepository(directory, rotated, NOW)).publication;
    expect(signed).toEqual(['targets', 'rollout-stable', 'snapshot', 'root', 'root', 'root', 'timestamp']);
    expect(await seen(directory)).toEqual(['1.1.0']);
    // The old keys sign nothing here any more.
    await expect(refreshRepository(directory, keys, NOW)).rejects.toMatchObject({
      code: 'repository.other-keys',
    });
  });

  test('what a key signed that was revoked before the last publication is not believed', async () => {
    const directory = await copyOf(base);
    const keysCopy = await copyOf(join(scratch, 'keys'));
    await rotateRole(keysCopy, 'targets', { passphrase: () => Promise.resolve(undefined), now: NOW });
    const rotated = await loadTufKeys(keysCopy);
    await refreshRepository(directory, rotated, NOW);
    // A thief of the old key adds a release of his own.
    const thief = await copyOf(base);
    await publishVersions(thief, ['6.6.6']);
    const bytes = await readFile(join(thief, '2.targets.json'));
    await writeFile(join(directory, '9.targets.json'), bytes);
    await refreshRepository(directory, rotated, NOW);
    expect(await seen(directory)).toEqual([]);
    // And the number that he used is not used again.
    await publishVersions(directory, ['1.1.0'], { keys: rotated });
    expect((await readdir(directory)).includes('10.targets.json')).toBe(true);
  });
});

describe('the brake', () => {
  const at = (hours: number): Date => new Date(NOW.getTime() + hours * 3_600_000);
  const startsAt = NOW.getTime() / 1000;

  async function released(curve = evenCurve(86_400)): Promise<string> {
    const directory = await copyOf(base);
    const files = repositoryFiles(directory);
    const targets = entry('1.1.0', { channels: { stable: { startsAt, curve } } });
    await publish(files, await readPublished(files, keys), keys, { targets }, NOW);
    return directory;
  }

  const name = releaseTargetName(ENTRY);
  const which = { version: '1.1.0' };

  test('pause stops it where it is; resume lets it go on from there, with no jump', async () => {
    const directory = await released();
    const paused = await changeBrake(
      directory,
      keys,
      'stable',
      { do: 'pause', which, reason: 'Wi-Fi' },
      at(6),
    );
    expect(paused.brake.releases[name]).toEqual({
      ...{ action: 'pause', reason: 'Wi-Fi', since: startsAt + 6 * 3600 },
      reached: 250_000,
    });
    expect(paused.publication.signed).toEqual(['rollout-stable', 'snapshot', 'timestamp']);
    const resumed = await changeBrake(
      directory,
      keys,
      'stable',
      { do: 'resume', which, how: 'go-on' },
      at(60),
    );
    expect(resumed.brake.releases[name]).toEqual({
      ...{ action: 'slow', startsAt: startsAt + 60 * 3600 },
      curve: [
        [0, 250_000],
        [18 * 3600, 1_000_000],
      ],
    });
  });

  test('slow spreads the rest over the time that it is given', async () => {
    const directory = await released();
    const request = { do: 'slow', which, curve: evenCurve(7 * 86_400) } as const;
    const { brake } = await changeBrake(directory, keys, 'stable', request, at(12));
    expect(brake.releases[name]).toMatchObject({
      curve: [
        [0, 500_000],
        [7 * 86_400, 1_000_000],
      ],
    });
  });

  test('a whole channel: what comes while it is stopped begins when it goes on', async () => {
    const directory = await released(INSTANT);
    await changeBrake(directory, keys, 'stable', { do: 'pause', which: 'all', reason: 'holidays' }, at(1));
    const files = repositoryFiles(directory);
    const state = await readPublished(files, keys);
    const fresh = entry('1.2.0', {
      channels: { stable: { startsAt: startsAt + 7200, curve: evenCurve(86_400) } },
    });
    await publish(
      files,
      state,
      keys,
      { targets: { ...Object.fromEntries(state.targets.targets), ...fresh } },
      at(2),
    );
    const resume = { do: 'resume', which: 'all', how: 'go-on' } as const;
    const { brake } = await changeBrake(directory, keys, 'stable', resume, at(100));
    expect(brake.releases).toEqual({
      [releaseTargetName({ ...ENTRY, version: '1.2.0' })]: {
        ...{ action: 'slow', startsAt: startsAt + 100 * 3600 },
        curve: [
          [0, 0],
          [86_400, 1_000_000],
        ],
      },
    });
  });

  test('resume --at-once takes it off', async () => {
    const directory = await released();
    await changeBrake(directory, keys, 'stable', { do: 'pause', which, reason: '' }, at(6));
    const { brake } = await changeBrake(
      directory,
      keys,
      'stable',
      { do: 'resume', which, how: 'drop' },
      at(7),
    );
    expect(brake.releases).toEqual({});
  });
});

test('a repository is made in an empty directory, and made again where that was cut off', async () => {
  const directory = join(scratch, 'new');
  await mkdir(directory);
  await writeFile(join(directory, 'precious'), '');
  await expect(initRepository(directory, keys, { now: NOW })).rejects.toMatchObject({
    code: 'repository.exists',
  });
  await rm(join(directory, 'precious'));
  await initRepository(directory, keys, { now: NOW });
  await rm(join(directory, 'timestamp.json'));
  await initRepository(directory, keys, { now: NOW });
  expect(await seen(directory)).toEqual([]);
  await expect(initRepository(directory, keys, { now: NOW })).rejects.toMatchObject({
    code: 'repository.exists',
  });
});
