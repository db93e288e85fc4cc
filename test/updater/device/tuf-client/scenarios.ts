/** What the tuf-conformance suite asks of a client, scenario by scenario under the suite's names, told in our own words. */
import { expect } from 'vitest';
import type { Conformance } from './client.ts';
import { day, iso, newSigner, signerSet, type KeyType, type Signer } from './simulator.ts';

export interface Scenario {
  readonly name: string;
  /** It sets the client's clock, which only the one in this process lets us do. */
  readonly clock?: true;
  readonly run: (test: Conformance) => Promise<void>;
}

const ALL = ['targets', 'snapshot', 'timestamp'];
const DAY_MS = 86_400_000;

const basic: Scenario[] = [
  {
    name: 'basic init and refresh',
    run: async (test) => {
      expect(await test.init()).toBe(0);
      expect(test.repository.metadataRequests).toEqual([]);
      expect(await test.refresh()).toBe(0);
      expect(test.repository.metadataRequests).toEqual([
        ['root', 2],
        ['timestamp', undefined],
        ['snapshot', 1],
        ['targets', 1],
      ]);
      expect(test.trusted()).toEqual([
        ['root', 1],
        ['snapshot', 1],
        ['targets', 1],
        ['timestamp', 1],
      ]);
    },
  },
  {
    name: 'metadata bytes match',
    run: async (test) => {
      await test.init();
      await test.refresh();
      for (const role of ['root', ...ALL])
        expect(test.stored(role)).toEqual(test.repository.published[role]?.[0]);
    },
  },
  {
    name: 'implicit refresh',
    run: async (test) => {
      await test.init();
      expect(await test.download('nonexistent artifact')).toBe(1);
      expect(test.trusted()).toHaveLength(4);
    },
  },
  {
    name: 'invalid initial root',
    run: async (test) => {
      const json = JSON.parse(test.root.toString()) as { signed: Record<string, unknown> };
      delete json.signed['version'];
      test.root = Buffer.from(JSON.stringify(json));
      await test.init();
      expect(await test.refresh()).toBe(1);
      expect(test.repository.metadataRequests).toEqual([]);
    },
  },
  {
    name: 'unsigned initial root',
    run: async (test) => {
      const json = JSON.parse(test.root.toString()) as { signatures: { sig: string }[] };
      json.signatures[0]!.sig = newSigner('ecdsa-p256').sign(Buffer.from('x')).toString('hex');
      test.root = Buffer.from(JSON.stringify(json));
      await test.init();
      expect(await test.refresh()).toBe(1);
      expect(test.repository.metadataRequests).toEqual([]);
    },
  },
  {
    name: 'a client that was not initialized refuses',
    run: async (test) => {
      expect(await test.refresh()).toBe(1);
      expect(test.repository.metadataRequests).toEqual([]);
    },
  },
  {
    name: 'timestamp content changes without a new version',
    run: async (test) => {
      await test.init();
      await test.refresh();
      test.repository.bodies['timestamp']!.meta['snapshot.json'] = { version: 100 };
      test.repository.publish(['timestamp'], 'as-is');
      await test.refresh();
      expect(test.stored('timestamp')).toEqual(test.repository.published['timestamp']?.[0]);
    },
  },
  {
    name: 'new targets hash mismatch',
    run: async (test) => {
      await test.init();
      test.repository.hashes = true;
      test.repository.publish(ALL);
      expect(await test.refresh()).toBe(0);
      test.repository.publish(ALL);
      test.repository.published['targets']![2] = Buffer.concat([
        test.repository.published['targets']![2]!,
        Buffer.from(' '),
      ]);
      expect(await test.refresh()).toBe(1);
      expect(test.version('targets')).toBe(2);
    },
  },
  {
    name: 'new targets version mismatch',
    run: async (test) => {
      await test.init();
      await test.refresh();
      test.repository.bodies['targets']!.version = 5;
      test.repository.publish(['targets']);
      test.repository.bodies['snapshot']!.meta['targets.json'] = { version: 2 };
      test.repository.publish(['snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect(test.version('targets')).toBe(1);
    },
  },
  {
    name: 'custom fields are part of what is signed',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const root = test.repository.bodies['root']!;
      root['custom-field'] = 'value';
      const keyid = root.roles['root']!.keyids[0]!;
      root.keys[keyid]!['extra-field'] = { a: 1, b: 2 };
      root.roles['root']!['another-field'] = 'value';
      test.repository.publish(['root']);
      expect(await test.refresh()).toBe(0);
      expect(test.version('root')).toBe(2);
    },
  },
  {
    name: 'without consistent snapshots names bear no versions',
    run: async (test) => {
      test.repository.bodies['root']!['consistent_snapshot'] = false;
      test.repository.addArtifact('targets', 'content', 'dir/file');
      test.repository.publish(['root', ...ALL]);
      await test.init();
      expect(await test.download('dir/file')).toBe(0);
      expect(test.repository.metadataRequests.slice(-3)).toEqual([
        ['timestamp', undefined],
        ['snapshot', undefined],
        ['targets', undefined],
      ]);
      expect(test.repository.artifactRequests).toEqual([['dir/file', undefined]]);
    },
  },
];

const keys: Scenario[] = [
  ...(['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa'] as KeyType[]).map((type): Scenario => ({
    name: `keys of type ${type}`,
    run: async (test) => {
      for (const role of ['root', ...ALL]) {
        test.repository.bodies['root']!.roles[role]!.keyids = [];
        if (role !== 'root') test.repository.signers[role] = [];
        test.repository.addKey(role, newSigner(type));
      }
      test.repository.publish(['root', ...ALL]);
      await test.init();
      expect(await test.refresh()).toBe(0);
      expect(test.version('timestamp')).toBe(2);
      const signed = test.repository.published['timestamp']!.at(-1)!.toString();
      test.repository.published['timestamp']!.push(
        Buffer.from(signed.replace('"version": 2', '"version": 3')),
      );
      expect(await test.refresh()).toBe(1);
    },
  })),
  {
    name: 'snapshot threshold is not reached',
    run: async (test) => {
      await test.init();
      await test.refresh();
      for (const signer of signerSet('ed25519', 4)) test.repository.addKey('snapshot', signer);
      test.repository.bodies['root']!.roles['snapshot']!.threshold = 6;
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('root'), test.version('snapshot')]).toEqual([2, 1]);
    },
  },
  {
    name: 'root has keys but the snapshot lacks their signatures',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const root = test.repository.bodies['root']!;
      for (const { keyid, key } of signerSet('ed25519', 2)) {
        root.keys[keyid] = { ...key };
        root.roles['snapshot']!.keyids.push(keyid);
      }
      root.roles['snapshot']!.threshold = 2;
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('root'), test.version('timestamp'), test.version('snapshot')]).toEqual([2, 2, 1]);
    },
  },
  {
    name: 'keyid_hash_algorithms mean nothing',
    run: async (test) => {
      await test.init();
      const root = test.repository.bodies['root']!;
      root.keys[root.roles['snapshot']!.keyids[0]!]!['keyid_hash_algorithms'] = ['md5'];
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(0);
      expect(test.version('root')).toBe(2);
    },
  },
  {
    name: 'one key many times is one key',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const root = test.repository.bodies['root']!;
      const [signer] = signerSet('ed25519', 1) as [Signer];
      test.repository.signers['snapshot'] = [signer];
      root.keys[signer.keyid] = { ...signer.key };
      root.roles['snapshot'] = { keyids: Array.from({ length: 9 }, () => signer.keyid), threshold: 6 };
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect(test.version('snapshot')).toBe(1);
    },
  },
  {
    name: 'one signature many times is one signature',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const [one, two] = signerSet('ed25519', 2) as [Signer, Signer];
      test.repository.addKey('timestamp', one);
      test.repository.addKey('timestamp', two);
      test.repository.bodies['root']!.roles['timestamp']!.threshold = 2;
      test.repository.signers['timestamp'] = [one, one];
      test.repository.publish(['root', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('root'), test.version('timestamp')]).toEqual([2, 1]);
    },
  },
];

const expiry: Scenario[] = [
  {
    name: 'root expired: it is stored, and nothing else is followed',
    run: async (test) => {
      await test.init();
      await test.refresh();
      test.repository.bodies['root']!.expires = iso(day(-1));
      test.repository.publish(['root', ...ALL]);
      expect(await test.refresh()).toBe(1);
      expect(['root', 'timestamp', 'snapshot', 'targets'].map((role) => test.version(role))).toEqual([
        2, 1, 1, 1,
      ]);
    },
  },
  ...ALL.map((role): Scenario => ({
    name: `${role} expired`,
    run: async (test) => {
      await test.init();
      await test.refresh();
      test.repository.bodies[role]!.expires = iso(day(-5));
      test.repository.publish(ALL);
      expect(await test.refresh()).toBe(1);
      expect(test.version(role)).toBe(1);
    },
  })),
  {
    name: 'expired local metadata still leads to new metadata',
    clock: true,
    run: async (test) => {
      await test.init();
      test.repository.bodies['timestamp']!.expires = iso(day(7));
      test.repository.publish(['timestamp']);
      expect(await test.refresh()).toBe(0);
      test.repository.bodies['timestamp']!.expires = iso(day(21));
      test.repository.publish(ALL);
      test.aheadMs = 18 * DAY_MS;
      expect(await test.refresh()).toBe(0);
      expect(ALL.map((role) => test.version(role))).toEqual([2, 2, 3]);
    },
  },
  {
    name: 'a delegated role that is expired when it is first seen',
    run: async (test) => {
      await test.init();
      test.repository.delegate('targets', { name: 'delegated', paths: ['path/*'] }, day(-1));
      test.repository.addArtifact('delegated', 'content', 'path/target');
      test.repository.publish(['delegated', ...ALL]);
      expect(await test.refresh()).toBe(0);
      expect(await test.download('path/target')).toBe(1);
      expect(test.downloads()).toEqual([]);
      expect(test.trusted().map(([role]) => role)).toEqual(['root', 'snapshot', 'targets', 'timestamp']);
    },
  },
  {
    name: 'a delegated role that expires, and its new version',
    clock: true,
    run: async (test) => {
      await test.init();
      test.repository.delegate('targets', { name: 'delegated', paths: ['path/*'] }, day(7));
      test.repository.addArtifact('delegated', 'first', 'path/first');
      test.repository.addArtifact('delegated', 'second', 'path/second');
      test.repository.publish(['delegated', ...ALL]);
      expect(await test.download('path/first')).toBe(0);
      test.aheadMs = 18 * DAY_MS;
      expect(await test.download('path/second')).toBe(1);
      test.repository.bodies['delegated']!.expires = iso(day(21));
      test.repository.publish(['delegated', 'snapshot', 'timestamp']);
      expect(await test.download('path/second')).toBe(0);
      expect([...test.downloads()].sort()).toEqual(['first', 'second']);
    },
  },
];

const rollback: Scenario[] = [
  {
    name: 'simple snapshot rollback: the stored one is used',
    run: async (test) => {
      await test.init();
      test.repository.publish(['snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(0);
      test.repository.published['snapshot']![1] = test.repository.published['snapshot']![0]!;
      expect(await test.refresh()).toBe(0);
      expect(test.version('snapshot')).toBe(2);
      expect(test.repository.metadataRequests.at(-1)).toEqual(['timestamp', undefined]);
    },
  },
  {
    name: 'timestamp rollback',
    run: async (test) => {
      await test.init();
      test.repository.publish(['timestamp']);
      await test.refresh();
      test.repository.published['timestamp']!.push(test.repository.published['timestamp']![0]!);
      expect(await test.refresh()).toBe(1);
      expect(test.version('timestamp')).toBe(2);
    },
  },
  ...[false, true].map((hashes): Scenario => ({
    name: `snapshot rollback, ${hashes ? 'with' : 'without'} hashes`,
    run: async (test) => {
      test.repository.hashes = hashes;
      await test.init();
      test.repository.publish(['snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(0);
      test.repository.bodies['snapshot']!.version = 1;
      test.repository.publish(['snapshot'], 'as-is');
      test.repository.publish(['timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('timestamp'), test.version('snapshot')]).toEqual([2, 2]);
    },
  })),
  ...[false, true].map((hashes): Scenario => ({
    name: `targets rollback, ${hashes ? 'with' : 'without'} hashes`,
    run: async (test) => {
      test.repository.hashes = hashes;
      await test.init();
      test.repository.publish(ALL);
      test.repository.publish(ALL);
      expect(await test.refresh()).toBe(0);
      test.repository.bodies['targets']!.version = 1;
      test.repository.publish(['targets'], 'as-is');
      test.repository.publish(['snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('timestamp'), test.version('snapshot'), test.version('targets')]).toEqual([
        4, 3, 3,
      ]);
    },
  })),
  {
    name: 'targets fast-forward recovery',
    run: async (test) => {
      await test.init();
      test.repository.bodies['targets']!.version = 99;
      test.repository.published['targets']![99] = Buffer.alloc(0);
      test.repository.published['targets']!.length = 99;
      test.repository.publish(ALL);
      expect(await test.refresh()).toBe(0);
      expect(test.version('targets')).toBe(100);
      test.repository.rotateKeys('snapshot');
      test.repository.bodies['targets']!.version = 1;
      test.repository.published['targets'] = [];
      test.repository.publish(['root', ...ALL]);
      expect(await test.refresh()).toBe(0);
      expect(test.version('targets')).toBe(1);
    },
  },
  {
    name: 'snapshot fast-forward recovery',
    run: async (test) => {
      await test.init();
      test.repository.bodies['snapshot']!.version = 49;
      test.repository.published['snapshot']!.length = 49;
      test.repository.publish(ALL);
      expect(await test.refresh()).toBe(0);
      expect(test.version('snapshot')).toBe(50);
      test.repository.rotateKeys('snapshot');
      test.repository.rotateKeys('timestamp');
      test.repository.bodies['snapshot']!.version = 1;
      test.repository.published['snapshot'] = [];
      test.repository.publish(['root', ...ALL]);
      expect(await test.refresh()).toBe(0);
      expect(test.version('snapshot')).toBe(1);
    },
  },
  {
    name: 'timestamp fast-forward recovery',
    run: async (test) => {
      await test.init();
      test.repository.bodies['timestamp']!.version = 99;
      test.repository.publish(['timestamp']);
      expect(await test.refresh()).toBe(0);
      expect(test.version('timestamp')).toBe(100);
      test.repository.rotateKeys('timestamp');
      test.repository.bodies['timestamp']!.version = 1;
      test.repository.publish(['root']);
      test.repository.publish(['timestamp'], 'as-is');
      expect(await test.refresh()).toBe(0);
      expect(test.version('timestamp')).toBe(1);
    },
  },
  {
    name: 'snapshot version mismatch',
    run: async (test) => {
      await test.init();
      test.repository.published['snapshot'] = [];
      test.repository.bodies['snapshot']!.version = 2;
      test.repository.publish(['snapshot']);
      test.repository.bodies['timestamp']!.meta['snapshot.json'] = { version: 1 };
      test.repository.publish(['timestamp'], 'as-is');
      expect(await test.refresh()).toBe(1);
      expect(test.trusted()).toEqual([
        ['root', 1],
        ['timestamp', 1],
      ]);
    },
  },
];

const downloads: Scenario[] = [
  ...['target_file.txt', 'path/to/a/target_file.txt'].map((path): Scenario => ({
    name: `downloads ${path}, once`,
    run: async (test) => {
      await test.init();
      test.repository.addArtifact('targets', 'target file contents', path);
      test.repository.publish(ALL);
      expect(await test.refresh()).toBe(0);
      expect(test.downloads()).toEqual([]);
      expect(await test.download(path)).toBe(0);
      expect(await test.download(path)).toBe(0);
      expect(test.downloads()).toEqual(['target file contents']);
      expect(test.repository.artifactRequests).toHaveLength(1);
    },
  })),
  {
    name: 'the repository substitutes files',
    run: async (test) => {
      await test.init();
      test.repository.addArtifact('targets', 'one', 'one.txt');
      test.repository.addArtifact('targets', 'two', 'two.txt');
      test.repository.publish(ALL);
      expect(await test.download('one.txt')).toBe(0);
      for (const name of ['one.txt', 'two.txt']) test.repository.artifacts[name] = Buffer.from('evil');
      await test.download('one.txt');
      expect(await test.download('two.txt')).toBe(1);
      test.repository.artifacts['two.txt'] = Buffer.from('evl');
      expect(await test.download('two.txt')).toBe(1);
      expect(test.downloads()).toEqual(['one']);
    },
  },
  {
    name: 'a changed target takes the place of the old one',
    run: async (test) => {
      await test.init();
      for (const content of ['first', 'second', 'third']) {
        test.repository.addArtifact('targets', content, 'file');
        test.repository.publish(ALL);
        expect(await test.download('file')).toBe(0);
        expect(test.downloads()).toEqual([content]);
      }
    },
  },
  {
    name: 'several targets in one command',
    run: async (test) => {
      await test.init();
      test.repository.addArtifact('targets', 'a', 'a');
      test.repository.addArtifact('targets', 'b', 'b');
      test.repository.publish(ALL);
      expect(await test.download('a', 'b')).toBe(0);
      expect([...test.downloads()].sort()).toEqual(['a', 'b']);
    },
  },
  ...['?', '#', '/delegatedrole', '../delegatedrole'].map((role): Scenario => ({
    name: `unusual role name ${role}`,
    run: async (test) => {
      test.repository.delegate('targets', { name: role });
      test.repository.publish([role, ...ALL]);
      await test.init();
      expect(await test.download('nonexistent target')).toBe(1);
      expect(test.repository.metadataRequests).toContainEqual([encodeURIComponent(role), 1]);
      expect(test.trusted()).toHaveLength(5);
    },
  })),
];

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

const graphs: Scenario[] = Object.entries(GRAPHS).map(([name, { edges, visited }]) => ({
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

const searches: Scenario[] = SEARCHES.map(([path, visited, found]) => ({
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

const authority: Scenario = {
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

const rotations: Scenario[] = ROTATIONS.map(([name, follows, versions]) => ({
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

const otherRotations: Scenario[] = ALL.flatMap((role) =>
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

export const SCENARIOS: readonly Scenario[] = [
  ...basic,
  ...keys,
  ...expiry,
  ...rollback,
  ...downloads,
  ...graphs,
  ...searches,
  authority,
  ...rotations,
  ...otherRotations,
];
