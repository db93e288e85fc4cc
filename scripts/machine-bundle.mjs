// How the machine's programs are bundled for QuickJS 2025-04-26, which understands ES2023 and has `std` and `os` as modules of its own: by bundle.mjs,
// and by tests for what runs on the machine's own interpreter.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { yamlReader } from './yaml-reader.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const shims = join(root, 'updater/device/tuf/shims');

/** For esbuild. */
export const machineBundle = {
  bundle: true,
  platform: 'neutral',
  target: 'es2022',
  format: 'esm',
  minify: true,
  external: ['std', 'os'],
  mainFields: ['module', 'main'],
  plugins: [yamlReader],
  alias: {
    // What tuf-js takes of Node, and what it takes to read patterns that our metadata does not have.
    crypto: join(shims, 'crypto.ts'),
    util: join(shims, 'util.ts'),
    minimatch: join(shims, 'minimatch.ts'),
    zod: join(root, 'host/provision/services/zod/zod.ts'),
  },
  inject: [join(shims, 'buffer.ts')],
  logLevel: 'warning',
  legalComments: 'none',
};
