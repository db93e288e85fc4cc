/** What a source may not do is told key by key, with the line that would allow it. */
import { expect, test } from 'vitest';
import { keyNamed, KEYS } from '../../../../host/provision/keys/table.ts';
import { PARTS } from '../../../../host/provision/plan/permission.ts';
import { plan, POLICY, verdicts } from './facts.ts';

test('each key needs the right that its table says', () => {
  for (const { key, right } of PARTS)
    if (key !== 'scripts') expect([key, keyNamed(key)?.right]).toEqual([key, right]);
});

test('no key with a right is forgotten', () => {
  const told = new Set(PARTS.map(({ key }) => key));
  // These are heard through others: `resolv_conf`, and nothing at all.
  const through = ['manage_resolv_conf', 'mount_default_fields'];
  const all = KEYS.filter(({ right }) => right !== null).map(({ name }) => name);
  expect(all.filter((name) => !told.has(name) && !through.includes(name))).toEqual([]);
});

test('install: needs disks, and says which line gives it', async () => {
  const lines = ['install: { disk: smallest }'];
  const refused = await plan(lines, {}, { ...POLICY, sources: { nocloud: ['users', 'files'] } });
  expect(refused.install).toBeNull();
  expect(verdicts(refused)).toEqual([
    expect.stringMatching(/^install 2 refused: .*nocloud: \[users, files, disks\]/),
  ]);
  expect((await plan(lines)).install).toMatchObject({ disk: { value: { by: 'smallest' } } });
});
