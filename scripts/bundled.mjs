// TypeScript of ours that a script runs: bundled first, since Node 20 does not read it; what is installed stays outside of the bundle.
import { build } from 'esbuild';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Bundles an entry point, named from the repository's root, and imports it. */
export async function importBundled(entry) {
  const outfile = join(root, 'dist', `${entry.replaceAll('/', '-').slice(0, -'.ts'.length)}.mjs`);
  await build({
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  return import(pathToFileURL(outfile).href);
}
