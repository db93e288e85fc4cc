/** Scrubs a slot under QuickJS: `qjs -m scrub.js OPTIONS.json` (see memory.test.ts). Prints the outcome. */
import { createQuickJsSystem } from '../../../../system/quickjs.ts';
import { openMedium } from '../../../../updater/device/apply/medium.ts';
import type { FetchConfig } from '../../../../updater/device/fetch/config.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { scrubSlot } from '../../../../updater/device/scrub/slot.ts';
import {
  fromBlockList,
  fromOtherSlot,
  fromPayload,
  type Published,
} from '../../../../updater/device/scrub/sources.ts';
import type { ReleaseManifest } from '../../../../updater/release/document.ts';

export interface ScrubJob {
  readonly manifest: ReleaseManifest;
  readonly data: string;
  readonly tree: string;
  readonly other: { readonly data: string; readonly tree: string; readonly dataBlocks: number };
  readonly fetch: FetchConfig;
  readonly scratch: string;
}

const system = createQuickJsSystem();

async function main(path: string): Promise<void> {
  const { manifest, data, tree, other, fetch, scratch } = JSON.parse(system.readText(path) ?? '') as ScrubJob;
  const { root } = manifest;
  const fetcher = createFetcher(system, fetch);
  system.makeDirectory(scratch, 0o700);
  const context = { fetcher, scratch: `${scratch}-payload`, progress: () => undefined };
  const published = (): Promise<Published> => Promise.resolve({ manifest, context });
  const found = await scrubSlot(system, {
    rootHash: root.rootHash,
    salt: root.salt,
    dataBlocks: root.sizeBytes / 4096,
    data: openMedium(system, data, 'read-write'),
    tree: openMedium(system, tree, 'read-write'),
    scratch,
    sources: [
      fromOtherSlot({
        data: openMedium(system, other.data, 'read'),
        tree: openMedium(system, other.tree, 'read'),
        dataBlocks: other.dataBlocks,
      }),
      fromPayload(system, published),
    ],
    leafSources: [fromBlockList(published)],
    pace: () => Promise.resolve(),
  });
  print(JSON.stringify(found));
}

declare function print(line: string): void;

main(system.arguments[0] ?? '').catch((error: unknown) => {
  const { code, message } = error as { code?: string; message: string };
  print(JSON.stringify({ failed: code ?? 'bug', message }));
  system.exit(1);
});
