import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Three projects: `unit` ends within a minute; `integration` makes whole images, asks the real archive, runs the machine's programs in
// namespaces; `boot` starts real machines.
const INTEGRATION = [
  'test/builder/authenticode/sign.test.ts',
  'test/builder/build/**/*.test.ts',
  'test/builder/debian/archive.test.ts',
  'test/builder/debian/fetch.test.ts',
  'test/builder/debian/transport.test.ts',
  'test/builder/debian/version.test.ts',
  'test/builder/disk/**/*.test.ts',
  'test/builder/export/formats.test.ts',
  'test/builder/keys/init.test.ts',
  'test/builder/keys/load.test.ts',
  'test/builder/lock/resolve.test.ts',
  'test/builder/lock/update.test.ts',
  'test/builder/oci/crun.test.ts',
  'test/builder/oci/registry.test.ts',
  'test/builder/oci/seccomp/compile.test.ts',
  'test/builder/pcr/signature.test.ts',
  'test/builder/sbom/**/*.test.ts',
  'test/builder/state/empty.test.ts',
  'test/builder/takeover/payload.test.ts',
  'test/builder/tools/lab.test.ts',
  'test/builder/tools/real-archive.test.ts',
  'test/cli/keys.test.ts',
  'test/cli/lock.test.ts',
  'test/cli/repo-push.test.ts',
  'test/docs/install.test.ts',
  'test/host/boot/state-convert.test.ts',
  'test/host/provision/apply/devices.test.ts',
  'test/host/provision/apply/power.test.ts',
  'test/host/provision/apply/script.test.ts',
  'test/host/provision/apply/twice.test.ts',
  'test/host/provision/configure.test.ts',
  'test/host/provision/document/quickjs.test.ts',
  'test/host/provision/network/quickjs.test.ts',
  'test/host/provision/plan/quickjs.test.ts',
  'test/host/provision/services/image/**/*.test.ts',
  'test/host/provision/services/prepare/**/*.test.ts',
  'test/host/provision/services/zod.test.ts',
  'test/host/provision/source/medium/**/*.test.ts',
  'test/host/provision/source/online.test.ts',
  'test/host/slip/**/*.test.ts',
  'test/host/slipd/plan/interleavings.test.ts',
  'test/host/slipd/real.test.ts',
  'test/lab/machine.test.ts',
  'test/spec/compose-oracle.test.ts',
  'test/spec/fuzz.test.ts',
  'test/system-containers/**/*.test.ts',
  'test/updater/device/apply/**/*.test.ts',
  'test/updater/device/fetch/**/*.test.ts',
  'test/updater/device/bundle.test.ts',
  'test/updater/device/follow.test.ts',
  'test/updater/device/network.test.ts',
  'test/updater/device/poll-cost.test.ts',
  'test/updater/device/quickjs.test.ts',
  'test/updater/device/switch/pe-certificates.test.ts',
  'test/updater/device/scrub/**/*.test.ts',
  'test/updater/device/tuf-client/**/*.test.ts',
  'test/updater/device/tuf/attacks.test.ts',
  'test/updater/device/tuf/clocks.test.ts',
  'test/updater/device/tuf/stolen-keys.test.ts',
  'test/updater/device/tuf/stored.test.ts',
  'test/updater/device/update.test.ts',
  'test/updater/power/**/*.test.ts',
  'test/updater/repository/delta/delta.test.ts',
  'test/updater/repository/keys/init.test.ts',
  'test/updater/repository/keys/rotate.test.ts',
  'test/updater/repository/publish.test.ts',
  'test/updater/repository/push/github.test.ts',
  'test/updater/repository/push/s3.test.ts',
  'test/updater/repository/push/sftp.test.ts',
  'test/updater/repository/release/**/*.test.ts',
  'test/updater/repository/serve.test.ts',
];

// Minutes each: begun first, so that neither core is without work at the end.
const LONGEST = [
  'test/boot/update/power.test.ts',
  'test/boot/update/update.test.ts',
  'test/boot/state.test.ts',
  'test/boot/attacks.test.ts',
  'test/boot/provision/nocloud.test.ts',
  'test/boot/services.test.ts',
  'test/boot/healthy.test.ts',
  'test/boot/loader.test.ts',
  'test/boot/install.test.ts',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = LONGEST.findIndex((name) => moduleId.endsWith(name));
      return place < 0 ? LONGEST.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    // One machine a core.
    maxWorkers: 2,
    minWorkers: 1,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/boot/**', ...INTEGRATION],
          globalSetup: ['test/temporary.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: INTEGRATION,
          globalSetup: ['test/temporary.ts'],
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
          globalSetup: ['test/temporary.ts', 'test/boot/setup.ts'],
          pool: 'forks',
        },
      },
    ],
  },
});
