/** The repository as this machine sees it: verified metadata, what it means for this machine, and release manifests. */
import { SlipwayError } from '../../spec/error.ts';
import type { System } from '../../system/system.ts';
import { parseBrake } from '../release/brake.ts';
import {
  releaseTargetName,
  type Brake,
  type ReleaseEntry,
  type ReleaseManifest,
} from '../release/document.ts';
import { MAX_MANIFEST_BYTES, parseReleaseManifest } from '../release/manifest.ts';
import { listReleases, type Listing } from '../release/path.ts';
import { CUSTOM } from '../release/tuf-roles.ts';
import { digestSink } from './apply/digests.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import { allMirrors } from './fetch/https.ts';
import { PATHS } from './paths.ts';
import { decide, type Decision, type DecisionFacts } from './policy/decide.ts';
import type { UpdateRecord } from './switch/record-content.ts';
import type { TrustedMetadata } from './tuf/contents.ts';

/** A fetcher of several mirrors also says how to ask those behind the first one by one. */
export interface MirrorsFetcher extends Fetcher {
  readonly others?: () => readonly Fetcher[];
}

/** Places in order of preference: addresses, or directories. */
export function openFetcher(context: Context, mirrors: readonly string[]): MirrorsFetcher {
  const { settings } = context.config;
  const fetcher = context.parts.createFetcher(context.system, {
    mirrors,
    scratch: PATHS.scratch,
    ...(settings.proxy === null ? {} : { proxy: settings.proxy }),
    ...(settings.ca === null ? {} : { caFile: settings.ca }),
    ...(settings.bandwidthBytesPerSecond === null
      ? {}
      : { bytesPerSecond: settings.bandwidthBytesPerSecond }),
    onBytes: () => context.checkInterrupted(),
  });
  return { ...fetcher, others: () => mirrors.slice(1).map((mirror) => openFetcher(context, [mirror])) };
}

/** `url` and `mirrors`. Throws `update.no-url`. */
export function configuredMirrors({ config }: Context): readonly string[] {
  const all = allMirrors(config.settings);
  if (all.length > 0) return all;
  throw new SlipwayError('update.no-url', 'this machine knows no repository', {
    hint: 'slip update config url ADDRESS, or slip update apply --bundle PATH',
  });
}

/** Brings the stored metadata up to date. Where a mirror answers with what must be refused, the others are asked. */
export function refresh(context: Context, fetcher: MirrorsFetcher): Promise<TrustedMetadata> {
  return context.parts.refreshMetadata(context.system, {
    ...metadataOptions(context),
    fetch: fetcher.file,
    others: () => fetcher.others?.().map(({ file }) => file) ?? [],
  });
}

/** What is stored and verified, without a network. */
export function stored(context: Context): Promise<TrustedMetadata | undefined> {
  return context.parts.loadMetadata(context.system, metadataOptions(context));
}

function metadataOptions({ root, buildTimeMs, config }: Context) {
  return {
    directory: PATHS.metadata,
    root,
    buildTimeMs,
    memory: PATHS.verified,
    channels: [config.settings.channel],
  };
}

export interface View {
  readonly listing: Listing;
  readonly facts: DecisionFacts;
  readonly decision: Decision;
  /** The channel's brake, as far as there is a valid one, else why there is none. */
  readonly brake: 'valid' | 'missing' | 'expired' | 'unreadable';
  readonly timestampExpired: boolean;
}

/** What the metadata mean for this machine. */
export function view(context: Context, metadata: TrustedMetadata, record: UpdateRecord): View {
  const { running, config, hostId, holds } = context;
  const { channel, wave } = config.settings;
  const listing = listReleases(metadata.targets, {
    image: running.image,
    architecture: running.architecture,
    channel,
  });
  const found = findBrake(metadata, channel);
  const facts: DecisionFacts = {
    entries: listing.entries,
    channel,
    brake: found.brake,
    running: running.version,
    hostId,
    wave,
    holds,
    failed: record.failed,
    now: Math.floor(metadata.nowMs / 1000),
  };
  return {
    listing,
    facts,
    decision: decide(facts),
    brake: found.state,
    timestampExpired: metadata.timestampExpired,
  };
}

/** The manifest of a release, checked against the digest that the metadata give. Throws `update.manifest`. */
export async function fetchManifest(
  system: System,
  fetcher: Fetcher,
  metadata: TrustedMetadata,
  entry: ReleaseEntry,
): Promise<ReleaseManifest> {
  const name = releaseTargetName(entry);
  const target = metadata.targets.get(name);
  if (target === undefined || target.lengthBytes > MAX_MANIFEST_BYTES)
    throw new SlipwayError('update.manifest', `the manifest of ${entry.version} is missing, or too large`);
  // TUF 5.7.3: with consistent snapshots, a target's file bears its digest.
  const bytes = await fetcher.file(`${target.sha256}.${name}`, target.lengthBytes);
  if (bytes === 'missing')
    throw new SlipwayError('update.manifest', `the manifest of ${entry.version} is not there (yet)`, {
      hint: 'the repository may be published just now: try again later',
    });
  if (bytes.length !== target.lengthBytes || (await digestOf(system, bytes)) !== target.sha256)
    throw new SlipwayError('update.manifest', `the manifest of ${entry.version} is not what was signed`, {
      hint: 'a mirror, or somebody between, changed it; nothing was changed here',
    });
  return parseReleaseManifest(JSON.parse(system.decode(bytes)), entry);
}

function findBrake(
  metadata: TrustedMetadata,
  channel: string,
): { readonly brake: Brake | undefined; readonly state: View['brake'] } {
  const rollout = metadata.rollout(channel);
  if (rollout === undefined) return { brake: undefined, state: 'missing' };
  if (rollout.expired) return { brake: undefined, state: 'expired' };
  try {
    const custom = rollout.custom as Readonly<Record<string, unknown>> | undefined;
    return { brake: parseBrake(custom?.[CUSTOM], channel), state: 'valid' };
  } catch {
    return { brake: undefined, state: 'unreadable' };
  }
}

function digestOf(system: System, bytes: Uint8Array): Promise<string> {
  const sink = digestSink(system);
  sink.write(bytes);
  return sink.end();
}
