/** Brings a release into the other slot, phase by phase, from wherever an earlier run was cut off. Nothing of it boots before `switch`. */
import type { ReleaseManifest } from '../release/document.ts';
import type { ApplyProgress } from './apply/facts.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import { addHistory } from './history.ts';
import { PATHS } from './paths.ts';
import type { Progress } from './progress.ts';

/** When it returns, the release lies ready: only the switch is missing, or only the restart. */
export async function install(
  context: Context,
  fetcher: Fetcher,
  manifest: ReleaseManifest,
  progress: Progress,
): Promise<'switch' | 'restart'> {
  const { system, parts } = context;
  let phase = await parts.nextPhase(system, manifest);
  const brought = phase === 'prepare' || phase === 'install';
  if (phase === 'prepare') {
    await fillSlot(context, fetcher, manifest, progress);
    phase = 'install';
  }
  if (phase === 'install') {
    progress.phase('uki');
    await parts.installUki(system, manifest, async (outputPath, sourcePath) => {
      await parts.applyUki(system, {
        manifest,
        sourcePath,
        outputPath,
        fetcher,
        scratch: PATHS.scratch,
        progress: advance(context, progress, 'uki'),
      });
    });
    phase = 'switch';
  }
  if (brought) {
    const at = Math.floor(system.wallClockMs() / 1000);
    const { version } = manifest;
    const bytes = fetcher.receivedBytes();
    addHistory(system, { at, event: 'installed', version, from: context.running.version, bytes });
  }
  return phase;
}

async function fillSlot(
  context: Context,
  fetcher: Fetcher,
  manifest: ReleaseManifest,
  progress: Progress,
): Promise<void> {
  const { system, parts } = context;
  progress.phase('download');
  const attempt = await parts.prepareSlot(system, manifest);
  const { source, target } = await parts.readBoot(system);
  await parts.applyRoot(system, {
    manifest,
    source,
    target,
    fetcher,
    scratch: PATHS.scratch,
    progress: advance(context, progress),
    ...(attempt.checkpoint === null ? {} : { resume: attempt.checkpoint }),
    checkpoint: (done) => parts.checkpoint(system, done),
  });
  progress.phase('install');
  await parts.commitSlot(system, manifest);
}

function advance(context: Context, progress: Progress, phase?: 'uki'): (found: ApplyProgress) => void {
  return (found) => {
    context.checkInterrupted();
    progress.advance(phase ?? found.phase, found.doneBytes, found.totalBytes, found.receivedBytes);
  };
}
