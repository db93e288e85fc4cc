/** The search for a target through delegations (TUF 5.6.7). */
import { expect } from 'vitest';
import { ALL, type Scenario } from './scenario.ts';

type Edge = readonly [delegator: string, name: string, options?: { terminating?: true; paths?: string[] }];

const GRAPHS: Readonly<
  Record<string, { readonly edges: readonly Edge[]; readonly visited: readonly string[] }>
> = {
  'basic delegation': { edges: [['targets', 'A']], visited: ['A'] },
  'single level': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
    ],
    visited: ['A', 'B'],
  },
  'two levels': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
    ],
    visited: ['A', 'B', 'C'],
  },
  'depth first': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C'],
      ['A', 'D'],
    ],
    visited: ['A', 'C', 'D', 'B'],
  },
  'three levels, depth first': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C'],
      ['C', 'D'],
    ],
    visited: ['A', 'C', 'D', 'B'],
  },
  'terminating ends all but its descendants': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C', { terminating: true }],
      ['C', 'D'],
    ],
    visited: ['A', 'C', 'D'],
  },
  'terminating among siblings': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C', { terminating: true }],
      ['A', 'D'],
    ],
    visited: ['A', 'C'],
  },
  'paths that do not match': {
    edges: [
      ['targets', 'A', { paths: ['*.py'] }],
      ['targets', 'B'],
      ['A', 'C'],
    ],
    visited: ['B'],
  },
  'paths that do not match, further down': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['A', 'C', { paths: ['*.py'] }],
      ['C', 'D'],
    ],
    visited: ['A', 'B'],
  },
  cycle: {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
      ['C', 'D'],
      ['D', 'B'],
    ],
    visited: ['A', 'B', 'C', 'D'],
  },
  'two delegate to a third': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
      ['A', 'C'],
    ],
    visited: ['A', 'C', 'B'],
  },
  'two delegate to a third, for other paths': {
    edges: [
      ['targets', 'A'],
      ['targets', 'B'],
      ['B', 'C'],
      ['A', 'C', { paths: ['*.py'] }],
    ],
    visited: ['A', 'B', 'C'],
  },
};

export const graphs: Scenario[] = Object.entries(GRAPHS).map(([name, { edges, visited }]) => ({
  name: `delegations: ${name}`,
  run: async (test) => {
    await test.init();
    for (const [delegator, role, options] of edges)
      test.repository.delegate(delegator, { name: role, ...options });
    const roles = [...new Set(edges.map(([, role]) => role))];
    test.repository.publish([...roles, ...ALL]);
    expect(await test.download('missingpath')).toBe(1);
    expect(test.repository.metadataRequests.slice(4)).toEqual(visited.map((role) => [role, 1]));
  },
}));

const SEARCHES: readonly (readonly [path: string, visited: readonly string[], found: boolean])[] = [
  ['targetfile', [], true],
  ['README.md', ['A'], true],
  ['releases/x/x_v1', ['B', 'C'], true],
  ['releases/y/y_v1.zip', ['B', 'D'], true],
  ['releases/z/z_v1.zip', ['B'], false],
];

export const searches: Scenario[] = SEARCHES.map(([path, visited, found]) => ({
  name: `target search: ${path}`,
  run: async (test) => {
    await test.init();
    const { repository } = test;
    repository.delegate('targets', { name: 'A', paths: ['*.doc', '*.md'] });
    repository.delegate('targets', { name: 'B', paths: ['releases/*/*'] });
    repository.delegate('B', { name: 'C', paths: ['releases/x/*'] });
    repository.delegate('B', { name: 'D', paths: ['releases/y/*.zip'] });
    repository.addArtifact('targets', 'content', 'targetfile');
    repository.addArtifact('A', 'readme', 'README.md');
    repository.addArtifact('C', 'x', 'releases/x/x_v1');
    repository.addArtifact('D', 'y', 'releases/y/y_v1.zip');
    repository.addArtifact('D', 'z', 'releases/z/z_v1.zip');
    repository.publish(['A', 'B', 'C', 'D', ...ALL]);
    expect(await test.download(path)).toBe(found ? 0 : 1);
    expect(test.downloads()).toHaveLength(found ? 1 : 0);
    expect(repository.metadataRequests.slice(4)).toEqual(visited.map((role) => [role, 1]));
  },
}));

export const authority: Scenario = {
  name: 'delegated authority by name: what one role’s keys vouched for, another role has not',
  run: async (test) => {
    await test.init();
    const { repository } = test;
    repository.delegate('targets', { name: 'A', paths: ['a/*'] });
    repository.delegate('targets', { name: 'B', paths: ['b/*'] });
    repository.delegate('A', { name: 'C', paths: ['a/*'] });
    repository.delegate('B', { name: 'C', paths: ['b/*'] });
    repository.addArtifact('C', 'evil', 'a/file');
    repository.addArtifact('C', 'evil', 'b/file');
    // C is signed with the key that A names, and not with the one that B names.
    repository.signers['C'] = repository.signers['C']!.slice(0, 1);
    repository.publish(['A', 'B', 'C', ...ALL]);
    expect(await test.download('a/file')).toBe(0);
    expect(await test.download('b/file')).toBe(1);
    expect(await test.download('a/file', 'b/file')).toBe(1);
    expect(test.downloads()).toEqual(['evil']);
  },
};
