import { defineConfig } from 'vitest/config';

// Three projects: `unit` ends within a minute; `integration` makes whole images, asks the real archive, runs the machine's programs in
// namespaces; `boot` starts real machines.
const INTEGRATION = [
  'test/builder/build/**/*.test.ts',
  'test/builder/debian/archive.test.ts',
  'test/builder/disk/**/*.test.ts',
  'test/builder/export/formats.test.ts',
  'test/builder/lock/update.test.ts',
  'test/builder/oci/crun.test.ts',
  'test/builder/oci/registry.test.ts',
  'test/builder/sbom/**/*.test.ts',
  'test/builder/takeover/payload.test.ts',
  'test/builder/tools/lab.test.ts',
  'test/builder/tools/real-archive.test.ts',
  'test/cli/keys.test.ts',
  'test/cli/lock.test.ts',
  'test/cli/repo-push.test.ts',
  'test/host/provision/services/image/**/*.test.ts',
  'test/host/provision/services/prepare/**/*.test.ts',
  'test/host/provision/source/medium/**/*.test.ts',
  'test/host/provision/source/online.test.ts',
  'test/host/provision/document/quickjs.test.ts',
  'test/host/provision/apply/devices.test.ts',
  'test/host/provision/apply/power.test.ts',
  'test/host/provision/apply/script.test.ts',
  'test/host/provision/plan/quickjs.test.ts',
  'test/host/slip/**/*.test.ts',
  'test/host/slipd/real.test.ts',
  'test/lab/machine.test.ts',
  'test/host/provision/network/quickjs.test.ts',
  'test/system-containers/**/*.test.ts',
  'test/updater/device/apply/**/*.test.ts',
  'test/updater/device/fetch/**/*.test.ts',
  'test/updater/device/follow.test.ts',
  'test/updater/device/quickjs.test.ts',
  'test/updater/device/scrub/**/*.test.ts',
  'test/updater/device/tuf-client/**/*.test.ts',
  'test/updater/device/tuf/attacks.test.ts',
  'test/updater/device/tuf/clocks.test.ts',
  'test/updater/device/tuf/stolen-keys.test.ts',
  'test/updater/device/tuf/stored.test.ts',
  'test/updater/device/update.test.ts',
  'test/updater/power/**/*.test.ts',
  'test/updater/repository/delta/delta.test.ts',
  'test/updater/repository/keys/rotate.test.ts',
  'test/updater/repository/publish.test.ts',
  'test/updater/repository/push/github.test.ts',
  'test/updater/repository/push/s3.test.ts',
  'test/updater/repository/push/sftp.test.ts',
  'test/updater/repository/release/**/*.test.ts',
];

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
          exclude: ['test/boot/**', ...INTEGRATION],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: INTEGRATION,
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
