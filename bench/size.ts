/** What a machine downloads: root and UKI as one stream through `zstd -19 --long=27`, as `slipway build --measure` prints it. */
import { join } from 'node:path';
import { run } from '../builder/process/run.ts';
import { KEYS, testKeys } from '../test/boot/image.ts';
import { WORK } from './machine.ts';

export interface SizeResult {
  readonly image: string;
  readonly downloadBytes: number;
  readonly components: readonly { readonly component: string; readonly sizeBytes: number }[];
}

export async function benchSize(image: string): Promise<SizeResult> {
  await testKeys();
  const { stdout } = await run(
    [
      ...[process.execPath, 'bin/slipway', 'build', `images/${image}.yaml`, '--keys', KEYS],
      ...['--output', join(WORK, 'size', image), '--measure', '--json'],
    ],
    { timeoutMs: 1_200_000 },
  );
  const { download, components } = JSON.parse(stdout.toString('utf8')) as {
    download: { sizeBytes: number };
    components: { component: string; sizeBytes: number }[];
  };
  return { image, downloadBytes: download.sizeBytes, components };
}
