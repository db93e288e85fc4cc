import type { BuildOptions } from 'esbuild';
export const machineBundle: BuildOptions;
