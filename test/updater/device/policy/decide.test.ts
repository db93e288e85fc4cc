/** Which version a machine gets, when and why. */
import { expect, test } from 'vitest';
import { decide, type DecisionFacts, type Verdict } from '../../../../updater/device/policy/decide.ts';
import type { Brake, ReleaseEntry } from '../../../../updater/release/document.ts';

const T0 = 1_800_000_000;
const HOUR = 3600;

function release(version: string, changes: Partial<ReleaseEntry> = {}): ReleaseEntry {
  return {
    format: '1.0',
    requires: [],
    image: 'minimal',
    version,
    architecture: 'amd64',
    channels: {
      stable: {
        startsAt: T0,
        curve: [
          [0, 0],
          [24 * HOUR, 1_000_000],
        ],
      },
    },
    sequence: 1,
    barrier: false,
    withoutBrake: 'hold',
    ...changes,
  };
}

function brake(releases: Brake['releases'] = {}): Brake {
  return { format: '1.0', releases };
}

function facts(entries: readonly ReleaseEntry[], changes: Partial<DecisionFacts> = {}): DecisionFacts {
  return {
    entries,
    channel: 'stable',
    brake: brake(),
    running: '1.0',
    hostId: '0123456789abcdef0123456789abcdef',
    wave: 'normal',
    holds: [],
    failed: [],
    now: T0 + 48 * HOUR,
    ...changes,
  };
}

function verdict(decision: ReturnType<typeof decide>, version: string): Verdict | undefined {
  return decision.candidates.find(({ entry }) => entry.version === version)?.verdict;
}

test('the newest that is due; nothing that runs or is older', () => {
  const found = decide(facts(['0.9', '1.0', '1.1', '1.3', '1.2'].map((version) => release(version))));
  expect(found.target?.entry.version).toBe('1.3');
  expect(found.candidates.map(({ entry }) => entry.version)).toEqual(['1.3', '1.2', '1.1']);
  expect(decide(facts([release('1.0'), release('0.9')])).target).toBeUndefined();
});

test('the curve: due at the time that this machine has in it, offered before to who asks', () => {
  const early = decide(facts([release('1.1')], { wave: 0.5, now: T0 + 11 * HOUR }));
  expect(verdict(early, '1.1')).toMatchObject({ kind: 'later', dueAt: T0 + 12 * HOUR });
  expect(early.target).toBeUndefined();
  expect(early.next?.entry.version).toBe('1.1');
  expect(early.offered?.entry.version).toBe('1.1');
  expect(decide(facts([release('1.1')], { wave: 0.5, now: T0 + 12 * HOUR })).target).toBeDefined();
  expect(decide(facts([release('1.1')], { wave: 'early', now: T0 })).target).toBeDefined();
  const late = decide(facts([release('1.1')], { wave: 'late', now: T0 + 23.9 * HOUR }));
  expect(late.target).toBeUndefined();
  expect(decide(facts([release('1.1')], { wave: 'late', now: T0 + 24 * HOUR })).target).toBeDefined();
});

test('without a wave, chance: another place in each release, always the same in one', () => {
  const place = (version: string, hostId: string): number | undefined =>
    decide(facts([release(version)], { hostId })).candidates[0]?.position;
  expect(place('1.1', 'a')).toBe(place('1.1', 'a'));
  expect(place('1.1', 'a')).not.toBe(place('1.2', 'a'));
  expect(place('1.1', 'a')).not.toBe(place('1.1', 'b'));
});

test('the brake slows, pauses and withdraws; it never hastens', () => {
  const name = 'release_minimal_1.1_amd64.json';
  const braked = (action: Brake['releases'][string], changes: Partial<DecisionFacts> = {}) =>
    decide(facts([release('1.1')], { brake: brake({ [name]: action }), wave: 0.5, ...changes }));
  expect(verdict(braked({ action: 'pause', reason: 'disks' }), '1.1')).toEqual({
    kind: 'paused',
    reason: 'disks',
  });
  expect(verdict(braked({ action: 'withdraw', reason: 'eats data' }), '1.1')?.kind).toBe('withdrawn');
  const slow = braked({ action: 'slow', startsAt: T0, curve: [[96 * HOUR, 1_000_000]] });
  expect(verdict(slow, '1.1')).toEqual({ kind: 'later', dueAt: T0 + 96 * HOUR, slowed: true });
  const hasty = braked({ action: 'slow', startsAt: 0, curve: [[0, 1_000_000]] }, { now: T0 });
  expect(verdict(hasty, '1.1')).toMatchObject({ kind: 'later', dueAt: T0 + 12 * HOUR });
  expect(braked({ action: 'pause', reason: 'disks' }).offered).toBeUndefined();
});

test('without a brake: as the release says', () => {
  const hold = decide(facts([release('1.1')], { brake: undefined }));
  expect(verdict(hold, '1.1')).toEqual({ kind: 'no-brake' });
  const follow = decide(facts([release('1.1', { withoutBrake: 'follow' })], { brake: undefined }));
  expect(follow.target?.entry.version).toBe('1.1');
});

test('a paused release leaves the one before to those that are due for it', () => {
  const paused = brake({ 'release_minimal_1.2_amd64.json': { action: 'pause', reason: 'x' } });
  const found = decide(facts([release('1.1'), release('1.2')], { brake: paused }));
  expect(found.target?.entry.version).toBe('1.1');
});

test('barriers, oldest versions, unknown features: the way goes through what can be reached', () => {
  const entries = [
    release('1.1'),
    release('1.2', { barrier: true }),
    release('1.3', { minimumVersion: '1.1' }),
    release('2.0', { requires: ['time-travel'] }),
  ];
  const found = decide(facts(entries));
  expect(found.target?.entry.version).toBe('1.2');
  expect(verdict(found, '1.3')).toEqual({ kind: 'minimum-version', version: '1.1' });
  expect(verdict(found, '2.0')).toEqual({ kind: 'requires', features: ['time-travel'] });
  expect(decide(facts(entries, { running: '1.2' })).target?.entry.version).toBe('1.3');
});

test('failure 28: a version that failed here is never taken again by itself, the next good one is', () => {
  const failed = [{ version: '1.1', reason: 'web was not healthy' }];
  const found = decide(facts([release('1.1')], { failed }));
  expect(found.target).toBeUndefined();
  expect(found.offered).toBeUndefined();
  expect(verdict(found, '1.1')).toEqual({ kind: 'failed', reason: 'web was not healthy' });
  expect(decide(facts([release('1.1'), release('1.2')], { failed })).target?.entry.version).toBe('1.2');
  // Newer ones failed too: not back to an older one that works, which would be the way down.
  expect(decide(facts([release('0.9')], { failed })).target).toBeUndefined();
});

test('failure 29: what failed is judged by version, whatever else this machine has forgotten', () => {
  // Neither slot holds 1.1 any more, and 1.2 was committed since: should 1.1 be published as the newest again, it still counts as failed.
  const failed = [{ version: '1.5', reason: 'no network' }];
  const found = decide(facts([release('1.4'), release('1.5', { sequence: 99 })], { running: '1.2', failed }));
  expect(found.target?.entry.version).toBe('1.4');
});

test('failure 31: what counts is the version that booted', () => {
  // The record and the ESP may say 1.2; the machine fell back to 1.0.
  const failed = [{ version: '1.2', reason: 'did not boot' }];
  const found = decide(facts([release('1.1'), release('1.2')], { running: '1.0', failed }));
  expect(found.target?.entry.version).toBe('1.1');
});

test('holds: one version, or all of them', () => {
  const entries = [release('1.1'), release('1.2')];
  expect(decide(facts(entries, { holds: ['1.2'] })).target?.entry.version).toBe('1.1');
  const all = decide(facts(entries, { holds: ['*'] }));
  expect([all.target, all.offered]).toEqual([undefined, undefined]);
  expect(verdict(all, '1.2')).toEqual({ kind: 'held' });
});

test('next is the earliest that is newer than what is due now', () => {
  const later = (startsAt: number) => ({
    channels: { stable: { startsAt, curve: [[0, 1_000_000]] as const } },
  });
  const entries = [
    release('1.1'),
    release('1.2', later(T0 + 72 * HOUR)),
    release('1.3', later(T0 + 60 * HOUR)),
  ];
  const found = decide(facts(entries));
  expect([found.target?.entry.version, found.next?.entry.version]).toEqual(['1.1', '1.3']);
});
