import { defineConfig } from 'vitest/config';

// Three projects: `unit` ends within a minute; `build` makes whole images; `boot` starts real machines.
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
          exclude: ['test/boot/**', 'test/builder/build/**'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'build',
          include: ['test/builder/build/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
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
