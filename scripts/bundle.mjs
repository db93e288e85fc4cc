// Bundles TypeScript into dist/: the `slipway` command for Node, and the machine's programs for QuickJS.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { machineBundle } from './machine-bundle.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

// Resolved through esbuild from TypeScript sources, so nothing else needs to be installed on the machine that runs it.
const node = {
  entryPoints: {
    slipway: join(root, 'cli/main.ts'),
    // The thread of updater/repository/delta.
    'diff-worker': join(root, 'updater/repository/delta/diff-worker.ts'),
  },
  outdir: join(root, 'dist'),
  outExtension: { '.js': '.mjs' },
  platform: 'node',
  target: 'node20',
  format: 'esm',
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  sourcemap: 'linked',
  // Bundled CommonJS packages call require().
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
};

// One row for programs that share chunks (lib-*.js, which the builder
// installs with whatever imports them); poll.js stays alone, since it is read most often and shares little.
const machinePrograms = [
  { slipd: 'host/slipd/main.ts' },
  { slip: 'host/slip/main.ts' },
  { partition: 'host/partition/main.ts' },
  { install: 'host/install/main.ts' },
  { update: 'updater/device/main.ts', switch: 'updater/device/switch/main.ts' },
  { poll: 'updater/device/poll.ts' },
  // Alone: what it loads is waited for at each boot.
  { look: 'host/provision/look.ts' },
  {
    provision: 'host/provision/main.ts',
    services: 'host/provision/services/main.ts',
  },
];
const quickjs = {
  ...machineBundle,
  splitting: true,
  chunkNames: 'lib-[hash]',
  outdir: join(root, 'dist/host'),
};

// The machine's TUF client as a program of its own, for Node and for QuickJS: each loads only its half.
const tufClient = {
  entryPoints: { 'tuf-client': join(root, 'updater/device/tuf-client/main.ts') },
  outdir: join(root, 'dist'),
  outExtension: { '.js': '.mjs' },
  platform: 'neutral',
  target: 'es2022',
  format: 'esm',
  splitting: true,
  chunkNames: 'chunks/tuf-[name]-[hash]',
  external: ['std', 'os', 'node:*'],
  mainFields: ['module', 'main'],
  alias: tufShims('crypto-all.ts'),
  inject: [join(root, 'updater/device/tuf/shims/buffer.ts')],
};

const machine = machinePrograms.map((programs) => ({
  ...quickjs,
  entryPoints: Object.fromEntries(
    Object.entries(programs)
      .map(([name, path]) => [name, join(root, path)])
      .filter(([, path]) => existsSync(path)),
  ),
}));

for (const options of [node, ...machine, tufClient]) {
  await build({ ...options, bundle: true, logLevel: 'warning', legalComments: 'none' });
}

function tufShims(crypto) {
  const shims = join(root, 'updater/device/tuf/shims');
  return { crypto: join(shims, crypto), util: join(shims, 'util.ts') };
}
