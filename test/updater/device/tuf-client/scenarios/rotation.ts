/** New keys: of the root, one version after the other, and of other roles (TUF 5.3.3 to 5.3.11). */
import { expect } from 'vitest';
import { ALL, type Scenario } from './scenario.ts';
import { signerSet } from '../simulator.ts';

/** Keys, threshold, who signs; the last one says whether the client follows. */
type RootVersion = readonly [keys: readonly number[], threshold: number, signs: readonly number[]];

const ROTATIONS: readonly (readonly [name: string, follows: boolean, versions: readonly RootVersion[]])[] = [
  [
    '1 of 1',
    true,
    [
      [[1], 1, [1]],
      [[2], 1, [2, 1]],
      [[2], 1, [2]],
    ],
  ],
  [
    '1 of 1, unused signatures',
    true,
    [
      [[1], 1, [3, 1, 4]],
      [[2], 1, [3, 2, 1, 4]],
      [[2], 1, [3, 2, 4]],
    ],
  ],
  [
    '3 of 5, one rotated',
    true,
    [
      [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
      [[0, 1, 3, 4, 5], 3, [0, 4, 1]],
    ],
  ],
  [
    '3 of 5, all rotated',
    true,
    [
      [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
      [[5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]],
      [[5, 6, 7, 8, 9], 3, [5, 6, 7]],
    ],
  ],
  [
    'threshold 1 to 2',
    true,
    [
      [[1, 2, 3], 1, [1]],
      [[1, 2, 3], 2, [1, 2]],
    ],
  ],
  [
    'threshold 2 to 1',
    true,
    [
      [[1, 2, 3], 2, [1, 2]],
      [[1, 2, 3], 1, [1, 2]],
      [[1, 2, 3], 1, [1]],
    ],
  ],
  [
    'not signed with the old key',
    false,
    [
      [[1], 1, [1]],
      [[2], 1, [2, 3, 4]],
    ],
  ],
  [
    'not signed with the new key',
    false,
    [
      [[1], 1, [1]],
      [[2], 1, [1, 3, 4]],
    ],
  ],
  [
    'not 3 of the new keys',
    false,
    [
      [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
      [[0, 1, 3, 4, 5], 3, [0, 2, 4]],
    ],
  ],
  [
    'not 3 of the old keys',
    false,
    [
      [[0, 1, 2, 3, 4], 3, [0, 2, 4]],
      [[0, 1, 3, 4, 5], 3, [0, 4, 5]],
    ],
  ],
  [
    'new threshold not reached',
    false,
    [
      [[1, 2, 3], 1, [1]],
      [[1, 2, 3], 2, [2]],
    ],
  ],
  [
    'old threshold not reached',
    false,
    [
      [[1, 2, 3], 2, [1, 2]],
      [[1, 2, 3], 1, [1]],
    ],
  ],
];

export const rotations: Scenario[] = ROTATIONS.map(([name, follows, versions]) => ({
  name: `root rotation: ${name}`,
  run: async (test) => {
    const { repository } = test;
    const signers = signerSet('ed25519', 10);
    repository.published['root'] = [];
    repository.bodies['root']!.version = 0;
    for (const [holders, threshold, signs] of versions) {
      const root = repository.bodies['root']!;
      root.version++;
      root.roles['root'] = { keyids: [], threshold };
      for (const index of holders) repository.addKey('root', signers[index]!);
      repository.signers['root'] = signs.map((index) => signers[index]!);
      repository.publish(['root'], 'as-is');
    }
    test.root = repository.published['root'][0]!;
    await test.init();
    expect(await test.refresh()).toBe(follows ? 0 : 1);
    expect(test.stored('root')).toEqual(repository.published['root'].at(follows ? -1 : -2));
  },
}));

const OTHER_ROTATIONS: readonly (readonly [name: string, follows: boolean, version: RootVersion])[] = [
  ['1 of 1', true, [[2], 1, [2]]],
  ['1 of 1, unused signatures', true, [[1], 1, [3, 1, 4]]],
  ['1 of 1, not signed with the new key', false, [[2], 1, [1, 3, 4]]],
  ['3 of 5, one signature of another', false, [[0, 1, 3, 4, 5], 3, [0, 2, 4]]],
  ['3 of 5, one signature missing', false, [[0, 1, 3, 4, 5], 3, [0, 4]]],
  ['3 of 5', true, [[0, 1, 2, 3, 4], 3, [4, 1, 0]]],
];

export const otherRotations: Scenario[] = ALL.flatMap((role) =>
  OTHER_ROTATIONS.map(([name, follows, [holders, threshold, signs]]): Scenario => ({
    name: `rotation of ${role}: ${name}`,
    run: async (test) => {
      const { repository } = test;
      const signers = signerSet('ed25519', 10);
      await test.init();
      expect(await test.refresh()).toBe(0);
      repository.bodies['root']!.roles[role] = { keyids: [], threshold };
      for (const index of holders) repository.addKey(role, signers[index]!);
      repository.signers[role] = signs.map((index) => signers[index]!);
      repository.publish(['root', ...ALL]);
      expect(await test.refresh()).toBe(follows ? 0 : 1);
      expect(test.version(role)).toBe(follows ? 2 : 1);
      if (follows) expect(test.stored(role)).toEqual(repository.published[role]!.at(-1));
    },
  })),
);
