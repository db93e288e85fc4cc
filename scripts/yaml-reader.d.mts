import type { Plugin } from 'esbuild';
export const yamlReader: Plugin;
