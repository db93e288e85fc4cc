import { defineConfig } from 'vitest/config';

// Two projects: `unit` needs no virtual machine and ends within a minute; `boot` starts real machines.
export default defineConfig({
  test: {
    // One machine a core.
    maxWorkers: 2,
    minWorkers: 1,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/boot/**', 'test/full/**', 'node_modules/**'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'boot',
          include: ['test/boot/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          // Builds the image that most of them boot.
          globalSetup: ['test/boot/setup.ts'],
          pool: 'forks',
        },
      },
    ],
  },
});
