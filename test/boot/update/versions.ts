/** Versions of one image for update tests: good ones, and one for each way in which a new version may be bad. Built once in a run. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { prepareDisk, type DiskSource } from '../../../cli/run-input.ts';
import { KEYS, testKeys, WORK } from '../image.ts';

/** Everything that update tests leave lies here. */
export const UPDATE_WORK = join(WORK, 'update');
export const IMAGE_NAME = 'updating';

/** What is wrong with a version, as more of its definition. All files lie in the signed root, where a developer's mistake would put them. */
export const FAULTS = {
  none: '',
  /** A service that is healthy for a while, and then is not. */
  gate: `
services:
  fragile:
    entrypoint:
      - /usr/bin/busybox
      - sh
      - -c
      - 'echo started; sleep 10; echo "the database cannot be reached"; : >/tmp/broken; exec sleep 3600'
    network_mode: none
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    healthcheck:
      test: [CMD, /usr/bin/test, '!', -e, /tmp/broken]
      interval: 1s
      timeout: 5s
      retries: 2
    x-slipway:
      gate: true
      packages:
        - { name: busybox, files: [/usr/bin/busybox] }
`,
  /** The kernel panics while the machine starts. */
  panic: `
host:
  files:
    - { path: /usr/lib/slipway/boot/sysinit, mode: 0o755, content: "#!/bin/sh\\necho c >/proc/sysrq-trigger\\n" }
`,
  /** Nothing pets the watchdog. */
  supervisor: `
host:
  files:
    - { path: /usr/lib/slipway/slipd.js, mode: 0o644, content: "throw new Error('slipd is broken');\\n" }
`,
  /** It could never be updated again. */
  updater: `
host:
  files:
    - { path: /usr/lib/slipway/update.js, mode: 0o644, content: "throw new Error('the updater is broken');\\n" }
`,
  /** Healthy to look at, but it configures no address. */
  network: `
services:
  network:
    entrypoint: [/usr/bin/busybox, sleep, '3600']
    network_mode: host
    read_only: true
    cap_drop: [ALL]
    healthcheck: { test: [CMD, /usr/bin/busybox, 'true'] }
    x-slipway:
      gate: true
      packages:
        - { name: busybox, files: [/usr/bin/busybox] }
`,
  /** Its owner's policy no longer lets the platform write files. */
  policy: `
provisioning:
  sources:
    ec2: [users, network]
    operator: [users]
`,
  /** None either: what it keeps, only its own TPM opens. */
  encrypted: `
state:
  encrypt: tpm2
`,
} as const;

export interface BuiltVersion extends DiskSource {
  readonly version: string;
  /** Folder of the build's artifacts and manifest.json. */
  readonly directory: string;
}

/** Versions differ by their number and one line of one file. `keys`: of the tests' own unless told. */
export async function buildVersion(
  version: string,
  fault: keyof typeof FAULTS = 'none',
  keys = KEYS,
): Promise<BuiltVersion> {
  await testKeys();
  const place = join(UPDATE_WORK, 'definitions', version);
  await mkdir(place, { recursive: true });
  const file = join(place, `${IMAGE_NAME}.yaml`);
  await writeFile(file, definition(version, fault));
  // The packages are those of minimal.yaml, so its lock fits.
  await copyFile(resolve('images/minimal.lock'), join(place, `${IMAGE_NAME}.lock`));
  const source = await prepareDisk(
    file,
    { keys, output: join(UPDATE_WORK, 'builds', version), profile: [], relock: true },
    { step: (_step, work) => work(), bytes: () => undefined, note: () => undefined },
  );
  return { ...source, version, directory: dirname(source.disk) };
}

function definition(version: string, fault: keyof typeof FAULTS): string {
  const note = `    - { path: /usr/lib/slipway/version-note, mode: 0o644, content: "this is ${version}\\n" }`;
  const faulty: string = FAULTS[fault];
  const host = faulty.includes('host:\n  files:\n')
    ? faulty.replace('host:\n  files:\n', `host:\n  files:\n${note}\n`)
    : `${faulty}host:\n  files:\n${note}\n`;
  return `extends: ${resolve('images/minimal.yaml')}
name: ${IMAGE_NAME}
version: ${version}
update:
  enabled: false
${host}`;
}
