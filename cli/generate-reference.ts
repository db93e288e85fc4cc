/** Writes the generated files: JSON Schemas into schema/, reference pages into docs/reference/. Run by scripts/generate.mjs. */
import { join } from 'node:path';
import { writeFileAtomic } from '../builder/cache/directory.ts';
import { generatedFiles } from '../spec/reference.ts';

/** Writes them below `root`, and gives back their paths. */
export async function generateReference(root: string): Promise<readonly string[]> {
  const files = generatedFiles();
  for (const [path, text] of files) await writeFileAtomic(join(root, path), text);
  return [...files.keys()];
}
