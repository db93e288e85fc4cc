/** The order of a refresh, and what is stored of it (TUF 5.2, 5.3, 5.6). */
import { expect } from 'vitest';
import { ALL, type Scenario } from './scenario.ts';
import { newSigner } from '../simulator.ts';

export const basic: Scenario[] = [
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
