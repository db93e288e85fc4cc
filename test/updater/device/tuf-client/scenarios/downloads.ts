/** Targets, and names of files (TUF 5.7). */
import { expect } from 'vitest';
import { ALL, type Scenario } from './scenario.ts';

export const downloads: Scenario[] = [
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
