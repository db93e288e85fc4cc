import { describe, expect, test } from 'vitest';
import type { ReleaseEntry } from '../../../updater/release/document.ts';
import { releaseTargetName } from '../../../updater/release/document.ts';
import { listReleases, obstacle, pathFrom, reachable } from '../../../updater/release/path.ts';
import { ENTRY, ROLLOUT } from './samples.ts';

function release(version: string, rest: Partial<ReleaseEntry> = {}): ReleaseEntry {
  return { ...ENTRY, version, ...rest };
}

function targets(...entries: readonly ReleaseEntry[]): Map<string, { custom: unknown }> {
  return new Map(entries.map((entry) => [releaseTargetName(entry), { custom: { slipway: entry } }]));
}

const versions = (entries: readonly ReleaseEntry[]): readonly string[] =>
  entries.map(({ version }) => version);

test('a listing holds what is meant for this machine, newest first', () => {
  const all = targets(
    release('1.2.0'),
    release('1.10.0'),
    release('1.11.0~rc.1', { channels: { beta: ROLLOUT } }),
    release('9.0.0', { image: 'other' }),
    release('1.3.0', { architecture: 'arm64' }),
  );
  all.set('unrelated.txt', { custom: undefined });
  const meant = { image: 'minimal', architecture: 'amd64', channel: 'stable' };
  expect(versions(listReleases(all, meant).entries)).toEqual(['1.10.0', '1.2.0']);
});

test('an entry that cannot be read hinders no other', () => {
  const all = targets(release('1.2.0'), release('1.3.0'));
  all.set('release_minimal_1.3.0_amd64.json', { custom: { slipway: { format: '1.0' } } });
  all.set('release_minimal_1.4.0_amd64.json', { custom: undefined });
  all.set('release_minimal_2.0.0_amd64.json', { custom: { slipway: { format: '2.0' } } });
  const { entries, unreadable } = listReleases(all);
  expect(versions(entries)).toEqual(['1.2.0']);
  expect(unreadable.map(({ name }) => name)).toEqual([
    'release_minimal_1.3.0_amd64.json',
    'release_minimal_1.4.0_amd64.json',
    'release_minimal_2.0.0_amd64.json',
  ]);
});

describe('failure 8: a machine whose version or content the repository does not know', () => {
  test('is offered everything newer: the source is known by its version, and a full payload fits all', () => {
    const entries = [release('1.1.0'), release('1.2.0')];
    expect(versions(reachable('1.0.7~never.published', entries))).toEqual(['1.2.0', '1.1.0']);
    expect(pathFrom('0.0.1', entries)).toEqual(['1.2.0']);
  });
});

describe('failure 41: a machine that was offline for years', () => {
  const entries = [
    release('1.0.0'),
    release('1.5.0', { barrier: true }),
    release('2.0.0', { barrier: true, minimumVersion: '1.5.0' }),
    release('3.0.0', { requires: ['erasure-coding'], minimumVersion: '2.0.0' }),
    release('3.1.0~rc.1'),
  ];

  test('takes each barrier on its way, in order', () => {
    expect(pathFrom('1.0.0', entries)).toEqual(['1.5.0', '2.0.0', '3.1.0~rc.1']);
    expect(pathFrom('1.5.0', entries)).toEqual(['2.0.0', '3.1.0~rc.1']);
    expect(pathFrom('3.1.0', entries)).toEqual([]);
  });

  test('is told what is in the way', () => {
    const at = (version: string, running: string) =>
      obstacle(entries.find((entry) => entry.version === version) ?? release(version), running, entries);
    expect(at('3.1.0~rc.1', '1.0.0')).toEqual({ kind: 'barrier', version: '1.5.0' });
    expect(at('2.0.0', '1.4.0')).toEqual({ kind: 'minimum-version', version: '1.5.0' });
    expect(at('3.0.0', '2.0.0')).toEqual({ kind: 'requires', features: ['erasure-coding'] });
    expect(at('2.0.0', '2.0.0')).toEqual({ kind: 'not-newer' });
    expect(at('1.5.0', '1.0.0')).toBeUndefined();
  });

  test('a withdrawn barrier bars nothing', () => {
    const withdrawn = [release('1.5.0', { barrier: true, withdrawn: 'bad' }), release('2.0.0')];
    expect(pathFrom('1.0.0', withdrawn)).toEqual(['2.0.0']);
  });
});
