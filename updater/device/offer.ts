/** What a release means for this machine before anything of it is fetched: its manifest, and what its download costs. */
import { SlipwayError } from '../../spec/error.ts';
import { formatBytes } from '../../system/format.ts';
import type { ReleaseManifest } from '../release/document.ts';
import type { DownloadPlan } from './apply/facts.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import { mayDownload } from './policy/download.ts';
import type { Candidate } from './policy/decide.ts';
import { fetchManifest } from './repository.ts';
import type { Unmet } from './switch/requirements.ts';
import type { TrustedMetadata } from './tuf/contents.ts';

export interface Offer {
  readonly manifest: ReleaseManifest;
  readonly download: DownloadPlan;
  /** Why this machine cannot run it; empty when it can. */
  readonly unmet: readonly Unmet[];
}

export async function readOffer(
  context: Context,
  fetcher: Fetcher,
  metadata: TrustedMetadata,
  { entry }: Candidate,
): Promise<Offer> {
  const manifest = await fetchManifest(context.system, fetcher, metadata, entry);
  const { running } = context;
  // The UKI on the ESP is looked at when it is needed; that it is the one of its version is a fair guess until then.
  const ukiSha256 = manifest.uki.deltas.find(({ from }) => from === running.version)?.fromHash;
  const salt = context.parts.readSalt(context.system, running);
  const download = context.parts.planDownload(manifest, {
    rootHash: running.rootHash,
    ...(salt === undefined ? {} : { salt }),
    ...(ukiSha256 === undefined ? {} : { ukiSha256 }),
  });
  return { manifest, download, unmet: await context.parts.unmetBy(context.system, manifest) };
}

/** Throws `update.requirement` where the machine could not run it. */
export function checkRequirements({ unmet }: Offer): void {
  const [first] = unmet;
  if (first !== undefined) throw new SlipwayError('update.requirement', first.message);
}

/** Throws `update.full-download` where the settings want to be asked first, or say no (failure 2). */
export function checkDownload({ config }: Context, { manifest, download }: Offer, confirmed: boolean): void {
  const answer = mayDownload(config.settings, download.kind, confirmed);
  if (answer === 'yes') return;
  throw new SlipwayError(
    'update.full-download',
    `there is no delta from the version that runs to ${manifest.version}: it takes ${formatBytes(download.bytes)}`,
    { hint: 'slip update apply --yes-full fetches it all the same' },
  );
}

/** `612 kB (delta)`. */
export function describeDownload({ kind, bytes }: DownloadPlan): string {
  const what = { delta: 'a delta', blocks: 'at most: only what is not here yet', full: 'the whole image' };
  return `${formatBytes(bytes)} (${what[kind]})`;
}
