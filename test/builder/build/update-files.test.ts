/** What `update:` puts into the root. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { updateFiles } from '../../../builder/build/update-files.ts';
import type { TreeEntry } from '../../../builder/tree/entry.ts';
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
  const paths = entries.map(({ path }) => path);
  expect(paths.filter((path) => !path.includes('/lib-'))).toEqual([
    '/usr/lib/slipway/update/config.json',
    '/usr/lib/slipway/update/root.json',
    '/usr/lib/slipway/update.js',
    '/usr/lib/slipway/poll.js',
    '/usr/lib/slipway/switch.js',
  ]);
  // What a program imports lies beside it, once.
  const bytesOf = (entry: TreeEntry): Uint8Array =>
    entry.type === 'file' && entry.source.kind === 'bytes' ? entry.source.bytes : Buffer.of();
  const imports = entries.flatMap((entry) =>
    [
      ...Buffer.from(bytesOf(entry))
        .toString()
        .matchAll(/\b(?:from|import)\s*["']\.\/([^"']+)["']/g),
    ].map(([, name]) => `/usr/lib/slipway/${name ?? ''}`),
  );
  expect(new Set(imports)).toEqual(new Set(paths.filter((path) => path.includes('/lib-'))));
  expect(imports.length).toBeGreaterThan(1);
  expect(new Set(paths).size).toBe(paths.length);
  // The goal for all that updates add to an image is 300 kB; 6 kB of it are in slipd.
  expect(entries.reduce((sum, entry) => sum + bytesOf(entry).length, 0)).toBeLessThan(294_000);
  const [config, root] = entries.map((entry) => Buffer.from(bytesOf(entry)).toString());
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
