/** What `provisioning:` puts into the root. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { provisioningFiles } from '../../../builder/build/provisioning-files.ts';
import { loadImage } from '../../../spec/load.ts';
import { scratchDirectory } from '../scratch.ts';

const FILTER = '/usr/lib/slipway/script-seccomp';

async function paths(...lines: readonly string[]): Promise<readonly string[]> {
  const file = join(scratchDirectory(), 'image.yaml');
  writeFileSync(file, ['name: a', ...lines, ''].join('\n'));
  const { image } = await loadImage(file);
  return (await provisioningFiles(image!)).map(({ path }) => path);
}

test('nothing for an image without provisioning:', async () => {
  expect(await paths()).toEqual([]);
});

test.each([
  ['nobody may run scripts', 'provisioning: {}', false],
  ['somebody may', 'provisioning: { sources: { nocloud: [scripts] } }', true],
  ['on the host', 'provisioning: { sources: { nocloud: [scripts] }, scripts: host }', false],
])('the filter of scripts in containers: %s', async (_, line, there) => {
  const all = await paths(line);
  expect(all).toContain('/usr/lib/slipway/provision.js');
  expect(all.includes(FILTER)).toBe(there);
});

test('the filters of services, where somebody may bring some: with the usual capabilities, and with none', async () => {
  const filters = (all: readonly string[]): readonly string[] =>
    all.filter((path) => path.startsWith('/usr/lib/slipway/service-seccomp'));
  expect(filters(await paths('provisioning: { sources: { nocloud: [scripts] } }'))).toEqual([]);
  expect(filters(await paths('provisioning: { sources: { nocloud: [services] } }'))).toEqual([
    '/usr/lib/slipway/service-seccomp/CAP_SYS_CHROOT',
    '/usr/lib/slipway/service-seccomp/none',
  ]);
});
