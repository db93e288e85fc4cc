/** Older versions than those that were seen, and other bytes than those that were told (TUF 5.4.3, 5.5.2 to 5.5.5, 5.6.2 to 5.6.5). */
import { expect } from 'vitest';
import { ALL, type Scenario } from './scenario.ts';

export const rollback: Scenario[] = [
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
