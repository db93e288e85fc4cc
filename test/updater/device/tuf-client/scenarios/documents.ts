/** What a document may look like (TUF 4.1 to 4.7), and digests of other kinds: beyond what the suite asks today. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { day, iso } from '../simulator.ts';
import { ALL, type Scenario } from './scenario.ts';

const WRONG: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['a specification of another major version', { spec_version: '2.0.0' }],
  ['no specification', { spec_version: undefined }],
  ['a specification that is no version', { spec_version: 'new' }],
  ['the type of another role', { _type: 'snapshot' }],
  ['no type', { _type: undefined }],
  ['no expiry', { expires: undefined }],
  ['an expiry that is no date', { expires: 'tomorrow' }],
  ['version 0', { version: 0 }],
  ['a negative version', { version: -1 }],
  ['a version in words', { version: 'two' }],
];

export const documents: Scenario[] = [
  ...WRONG.map(([what, change]): Scenario => ({
    name: `a timestamp with ${what} is refused, and an honest one follows`,
    run: async (test) => {
      await test.init();
      expect(await test.refresh()).toBe(0);
      const { timestamp } = test.repository.bodies;
      const honest = { ...timestamp! };
      Object.assign(timestamp!, { version: 2 }, change);
      for (const [field, value] of Object.entries(change))
        if (value === undefined) Reflect.deleteProperty(timestamp!, field);
      test.repository.publish(['timestamp'], 'as-is');
      expect(await test.refresh()).toBe(1);
      expect(test.version('timestamp')).toBe(1);
      Object.assign(timestamp!, honest, { version: 3 });
      test.repository.publish(['timestamp'], 'as-is');
      expect(await test.refresh()).toBe(0);
      expect(test.version('timestamp')).toBe(3);
    },
  })),
  ...['1.0', '1.0.0', '1.99.3'].map((version): Scenario => ({
    name: `specification ${version} is followed`,
    run: async (test) => {
      for (const body of Object.values(test.repository.bodies)) body.spec_version = version;
      test.repository.publish(['root', ...ALL]);
      await test.init();
      expect(await test.refresh()).toBe(0);
      expect(test.version('root')).toBe(2);
    },
  })),
  {
    name: 'a given root that has expired leads to one that has not',
    run: async (test) => {
      const root = test.repository.bodies['root']!;
      root.expires = iso(day(-400));
      test.repository.publish(['root'], 'as-is');
      test.repository.published['root'] = [test.repository.published['root']!.at(-1)!];
      test.root = test.repository.published['root'][0]!;
      await test.init();
      expect(await test.refresh()).toBe(1);
      root.expires = iso(day(30));
      test.repository.publish(['root']);
      expect(await test.refresh()).toBe(0);
      expect(test.version('root')).toBe(2);
    },
  },
  {
    name: 'digests of the kind sha512, of metadata and of targets',
    run: async (test) => {
      const sha512 = (bytes: Buffer): string => createHash('sha512').update(bytes).digest('hex');
      const { repository } = test;
      repository.addArtifact('targets', 'content', 'file');
      repository.bodies['targets']!.targets['file'] = {
        length: 7,
        hashes: { sha512: sha512(Buffer.from('content')) },
      };
      repository.publish(['targets']);
      const bytes = repository.published['targets']!.at(-1)!;
      repository.bodies['snapshot']!.meta['targets.json'] = {
        version: 2,
        length: bytes.length,
        hashes: { sha512: sha512(bytes) },
      };
      repository.publish(['snapshot', 'timestamp']);
      await test.init();
      expect(await test.download('file')).toBe(0);
      expect(test.downloads()).toEqual(['content']);
      repository.artifacts['file'] = Buffer.from('CONTENT');
      repository.bodies['snapshot']!.meta['targets.json'] = {
        version: 2,
        length: bytes.length,
        hashes: { sha512: sha512(Buffer.from('another')) },
      };
      repository.publish(['snapshot', 'timestamp']);
      await test.init();
      expect(await test.refresh()).toBe(1);
    },
  },
  {
    name: 'a changed target is the newest file, an unchanged one is not touched',
    run: async (test) => {
      await test.init();
      for (const name of ['a', 'b', 'c']) test.repository.addArtifact('targets', `${name} 1`, name);
      test.repository.publish(ALL);
      expect(await test.download('a', 'b', 'c')).toBe(0);
      expect(test.downloads()).toEqual(['a 1', 'b 1', 'c 1']);
      test.repository.addArtifact('targets', 'a 2', 'a');
      test.repository.publish(ALL);
      expect(await test.download('b', 'a')).toBe(0);
      expect(test.downloads()).toEqual(['b 1', 'c 1', 'a 2']);
    },
  },
];
