/** Applies under QuickJS: `qjs -m machine.js OPTIONS.json` (see machine.ts). Prints the outcome; checkpoints go to a file. */
import { createQuickJsSystem } from '../../../../system/quickjs.ts';
import { applyRoot } from '../../../../updater/device/apply/apply.ts';
import type { Checkpoint, SlotFacts } from '../../../../updater/device/apply/facts.ts';
import { applyUki } from '../../../../updater/device/apply/uki.ts';
import type { FetchConfig } from '../../../../updater/device/fetch/config.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import type { ReleaseManifest } from '../../../../updater/release/document.ts';

export interface MachineJob {
  readonly manifest: ReleaseManifest;
  readonly source?: SlotFacts;
  readonly target: SlotFacts;
  readonly fetch: FetchConfig;
  readonly scratch: string;
  readonly checkpointPath: string;
  readonly uki?: { readonly sourcePath?: string; readonly outputPath: string };
}

const system = createQuickJsSystem();

async function main(path: string): Promise<void> {
  const job = JSON.parse(system.readText(path) ?? '') as MachineJob;
  const saved = system.readText(job.checkpointPath);
  const started = system.uptimeMs();
  const context = {
    manifest: job.manifest,
    fetcher: createFetcher(system, job.fetch),
    scratch: job.scratch,
    progress: () => undefined,
  };
  const root = await applyRoot(system, {
    ...context,
    source: job.source,
    target: job.target,
    ...(saved === undefined ? {} : { resume: JSON.parse(saved) as Checkpoint }),
    checkpoint: (done) => {
      system.writeText(job.checkpointPath, JSON.stringify(done));
      return Promise.resolve();
    },
  });
  const uki =
    job.uki === undefined
      ? undefined
      : await applyUki(system, {
          ...context,
          sourcePath: job.uki.sourcePath,
          outputPath: job.uki.outputPath,
        });
  print(JSON.stringify({ ...root, uki, milliseconds: Math.round(system.uptimeMs() - started) }));
}

declare function print(line: string): void;

main(system.arguments[0] ?? '').catch((error: unknown) => {
  const { code, message } = error as { code?: string; message: string };
  print(JSON.stringify({ failed: code ?? 'bug', message }));
  system.exit(1);
});
