// Rewrites schema/ and docs/reference/ from the definitions in spec/. A unit test fails while they are stale.
import { build } from 'esbuild';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const outfile = join(root, 'dist/generate-reference.mjs');
await build({
  entryPoints: [join(root, 'cli/generate-reference.ts')],
  outfile,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
});
const { generateReference } = await import(pathToFileURL(outfile).href);
for (const path of await generateReference(root)) console.log(path);
