/** Brings a release into the other slot, phase by phase, from wherever an earlier run was cut off. Nothing of it boots before `switch`. */
import { SlipwayError } from '../../spec/error.ts';
import { payloadName, type ReleaseManifest } from '../release/document.ts';
import type { ApplyProgress, DownloadKind } from './apply/facts.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import { addHistory } from './history.ts';
import { PATHS } from './paths.ts';
import { mayDownload } from './policy/download.ts';
import type { Progress } from './progress.ts';
import { rememberUki } from './scrub/memory.ts';

export interface InstallOptions {
  /** The operator said yes to a full download. */
  readonly fullConfirmed: boolean;
}

/** Damaged blocks of the running version that may be fetched anew without asking. */
const REPAIR_BYTES = 8 * 1024 * 1024;

/** When it returns, the release lies ready: only the switch is missing, or only the restart. */
export async function install(
  context: Context,
  fetcher: Fetcher,
  manifest: ReleaseManifest,
  progress: Progress,
  options: InstallOptions,
): Promise<'switch' | 'restart'> {
  const { system, parts } = context;
  let phase = await parts.nextPhase(system, manifest);
  const brought = phase === 'prepare' || phase === 'install';
  if (phase === 'prepare') {
    await fillSlot(context, fetcher, manifest, progress, options);
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
        progress: advance(context, progress),
        mayFetch: mayFetch(context, options),
      });
    });
    phase = 'switch';
  }
  if (phase === 'switch') await storePendingFiles(context, fetcher, manifest);
  if (phase === 'switch') await rememberUki(system, manifest.version, manifest.uki.sha256);
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
  options: InstallOptions,
): Promise<void> {
  const { system, parts } = context;
  progress.phase('root');
  const attempt = await parts.prepareSlot(system, manifest);
  const { source, target } = await parts.readBoot(system);
  await parts.applyRoot(system, {
    manifest,
    source,
    target,
    fetcher,
    scratch: PATHS.scratch,
    progress: advance(context, progress),
    mayFetch: mayFetch(context, options),
    ...(attempt.checkpoint === null ? {} : { resume: attempt.checkpoint }),
    checkpoint: (done) => parts.checkpoint(system, done),
  });
  progress.phase('install');
  await parts.commitSlot(system, manifest);
}

/** What is done after the commit needs no network then. */
async function storePendingFiles(
  { system, parts }: Context,
  fetcher: Fetcher,
  manifest: ReleaseManifest,
): Promise<void> {
  for (const file of await parts.pendingFiles(system, manifest)) {
    if (system.status(`${PATHS.after}/${file.sha256}`)?.sizeBytes === file.sizeBytes) continue;
    const bytes = await fetcher.file(payloadName(file.sha256), file.sizeBytes);
    if (bytes === 'missing')
      throw new SlipwayError('update.pending-file', 'a file of the release is not in the repository', {
        hint: 'on the publishing side, slipway repo verify tells what is missing',
      });
    await parts.storePendingFile(system, file, bytes);
  }
}

/** What was not planned for is asked anew: a delta that does not fit after all never becomes a full image in silence (failure 2). */
function mayFetch(
  { config }: Context,
  { fullConfirmed }: InstallOptions,
): (kind: DownloadKind | 'repair', bytes: number) => boolean {
  return (kind, bytes) =>
    kind === 'repair'
      ? bytes <= REPAIR_BYTES || mayDownload(config.settings, 'full', fullConfirmed) === 'yes'
      : mayDownload(config.settings, kind, fullConfirmed) === 'yes';
}

function advance(context: Context, progress: Progress): (found: ApplyProgress) => void {
  return ({ phase, doneBytes, totalBytes, receivedBytes }) => {
    context.checkInterrupted();
    progress.advance(phase, doneBytes, totalBytes, receivedBytes);
  };
}
