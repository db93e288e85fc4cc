/** The demo's image in three versions: one, a better one, and one that has a service that fails. */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { slipwayRoot } from '../../builder/own-files.ts';
import type { Progress } from '../../builder/progress.ts';
import { prepareDisk, type DiskSource } from '../run-input.ts';

export interface DemoVersion extends DiskSource {
  readonly version: string;
  /** Folder of its artifacts. */
  readonly directory: string;
}

const IMAGE = 'demo';

const FRAGILE_SERVICE = `
services:
  shop:
    entrypoint:
      - /usr/bin/busybox
      - sh
      - -c
      - 'echo "open for business"; /usr/bin/busybox sleep 10; echo "cannot reach the database: giving up" >&2; : >/tmp/closed; exec /usr/bin/busybox sleep 3600'
    network_mode: none
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]
    healthcheck:
      test: [CMD, /usr/bin/test, '!', -e, /tmp/closed]
      interval: 1s
      retries: 2
    x-slipway:
      gate: true
      packages:
        - { name: busybox, files: [/usr/bin/busybox] }
`;

/** What each version is, as the commentary tells it. */
export const VERSIONS = {
  '1.0.0': { what: 'the version that the machine starts with', definition: '' },
  '1.1.0': { what: 'the same with one file changed', definition: '' },
  '1.2.0': {
    what: 'with a new service that works for ten seconds and then does not',
    definition: FRAGILE_SERVICE,
  },
} as const;

export async function buildDemoVersion(
  directory: string,
  version: keyof typeof VERSIONS,
  progress: Progress,
): Promise<DemoVersion> {
  const base = join(slipwayRoot(), 'images/minimal');
  const place = join(directory, 'definitions', version);
  await mkdir(place, { recursive: true });
  const file = join(place, `${IMAGE}.yaml`);
  await writeFile(
    file,
    `extends: ${base}.yaml
name: ${IMAGE}
version: ${version}
update:
  enabled: false
${VERSIONS[version].definition}
host:
  files:
    - { path: /usr/lib/slipway/greeting, content: "Hello from ${version}" }
`,
  );
  // The packages are those of minimal.yaml: its lock fits.
  await copyFile(`${base}.lock`, join(place, `${IMAGE}.lock`));
  const source = await prepareDisk(
    file,
    { keys: join(directory, 'keys'), output: join(directory, 'builds', version), profile: [], relock: true },
    progress,
  );
  return { ...source, version, directory: dirname(source.disk) };
}
