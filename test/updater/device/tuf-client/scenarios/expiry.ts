/** What has expired (TUF 5.3.10, 5.4.4, 5.5.6, 5.6.6). */
import { expect } from 'vitest';
import { ALL, DAY_MS, type Scenario } from './scenario.ts';
import { day, iso } from '../simulator.ts';

export const expiry: Scenario[] = [
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
