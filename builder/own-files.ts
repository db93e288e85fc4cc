/** Slipway's own files on the workstation. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of Slipway's own package: where dist/, host/ and images/ are. */
export function slipwayRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, 'package.json')) && directory !== '/') directory = dirname(directory);
  return directory;
}

/** A file of host/boot/, as it is. */
export function bootScript(name: string): string {
  return readFileSync(join(slipwayRoot(), 'host/boot', name), 'utf8');
}

/**
 * Every file of our own on which an image's bytes depend: what goes into it, and the bundled builder (whose entry names its chunks by
 * their digests).
 */
export function ownFilePaths(): string[] {
  const root = slipwayRoot();
  const under = (directory: string): string[] =>
    readdirSync(join(root, directory))
      .sort()
      .map((name) => join(root, directory, name));
  const builder = join(root, 'dist/slipway.mjs');
  return [
    ...under('host/boot'),
    ...under('dist/host').filter((path) => path.endsWith('.js')),
    ...(existsSync(builder) ? [builder] : []),
  ];
}
