import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../builder/process/run.ts';
import { sshKey } from '../../lab/ssh.ts';
import { scratchDirectory } from '../builder/scratch.ts';

const directory = scratchDirectory();

test('many that ask for a key at once get one pair, and nothing else is left there', async () => {
  const place = join(directory, 'ssh');
  const keys = await Promise.all(Array.from({ length: 8 }, () => sshKey(place)));
  expect(new Set(keys.map(({ privateKey }) => privateKey)).size).toBe(1);
  expect((await readdir(place)).sort()).toEqual(['id_ed25519', 'id_ed25519.pub']);
  const { stdout } = await run(['ssh-keygen', '-y', '-f', join(place, 'id_ed25519')]);
  expect(await readFile(join(place, 'id_ed25519.pub'), 'utf8')).toBe(stdout.toString());
});
