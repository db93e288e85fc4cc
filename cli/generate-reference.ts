/**
 * Writes the generated files: JSON Schemas into schema/, reference pages into docs/reference/, and the tables of keys in docs/provisioning.md.
 * Run by scripts/generate.mjs.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../builder/cache/directory.ts';
import { withKeyTables } from '../host/provision/keys/page.ts';
import { generatedFiles } from '../spec/reference.ts';

/** Writes them below `root`, and gives back their paths. */
export async function generateReference(root: string): Promise<readonly string[]> {
  const files = generatedFiles();
  for (const [path, text] of files) await writeFileAtomic(join(root, path), text);
  const page = 'docs/provisioning.md';
  const text = await readFile(join(root, page), 'utf8');
  await writeFileAtomic(join(root, page), withKeyTables(text));
  return [...files.keys(), page];
}
