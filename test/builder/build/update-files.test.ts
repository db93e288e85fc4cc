/** What `update:` puts into the root. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { updateFiles } from '../../../builder/build/update-files.ts';
import type { ImageDefinition } from '../../../spec/image.ts';
import { loadImage } from '../../../spec/load.ts';
import { scratchDirectory } from '../scratch.ts';

async function image(yaml: string): Promise<ImageDefinition> {
  const file = join(scratchDirectory(), 'image.yaml');
  writeFileSync(file, yaml);
  const { image: definition } = await loadImage(file);
  if (definition === undefined) throw new Error('no image');
  return definition;
}

function keysWith(root: string | undefined): string {
  const keys = scratchDirectory();
  mkdirSync(join(keys, 'tuf'));
  if (root !== undefined) writeFileSync(join(keys, 'tuf/root.json'), root);
  return keys;
}

const ROOT = JSON.stringify({ signed: { _type: 'root' }, signatures: [] });

test('nothing for an image without update:', async () => {
  expect(await updateFiles(await image('name: a\n'), '/nowhere')).toEqual([]);
});

test('settings, root of trust and programs', async () => {
  const entries = await updateFiles(await image('name: a\nupdate: { channel: beta }\n'), keysWith(ROOT));
  expect(entries.map(({ path }) => path)).toEqual([
    '/usr/lib/slipway/update/config.json',
    '/usr/lib/slipway/update/root.json',
    '/usr/lib/slipway/update.js',
    '/usr/lib/slipway/poll.js',
    '/usr/lib/slipway/switch.js',
  ]);
  const [config, root] = entries.map((entry) =>
    entry.type === 'file' && entry.source.kind === 'bytes' ? Buffer.from(entry.source.bytes).toString() : '',
  );
  expect(JSON.parse(config ?? '')).toMatchObject({ format: '1.0', settings: { channel: 'beta' } });
  expect(root).toBe(ROOT);
});

test('keys without an update root: the error says what to do', async () => {
  const wanted = await image('name: a\nupdate: {}\n');
  await expect(updateFiles(wanted, keysWith(undefined))).rejects.toMatchObject({
    code: 'update.no-root',
    hint: expect.stringContaining('slipway keys init') as string,
  });
  await expect(updateFiles(wanted, keysWith('{"signed":{"_type":"targets"}}'))).rejects.toMatchObject({
    code: 'update.bad-root',
  });
});
