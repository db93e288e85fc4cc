/** What the repository still says of versions that are here: asked only when something is rotten or unknown, and then at most once. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import type { ApplyContext } from '../apply/facts.ts';
import type { Context } from '../context.ts';
import type { Fetcher } from '../fetch/fetcher.ts';
import { lookAnyhow, type Look } from '../look.ts';
import { PATHS } from '../paths.ts';
import { mayDownload } from '../policy/download.ts';
import { configuredMirrors, fetchManifest, openFetcher } from '../repository.ts';
import type { Published } from './sources.ts';
import type { PublishedUki } from './ukis.ts';

/** Rotten blocks and UKIs that may be fetched anew without asking, as in an update. */
const REPAIR_BYTES = 8 * 1024 * 1024;

export interface Releases {
  readonly root: (rootHash: string) => Promise<Published | undefined>;
  readonly uki: (version: string) => Promise<PublishedUki | undefined>;
}

/** Nothing here throws for what a network or a repository can do: then there is nothing to repair from. */
export function publishedReleases(context: Context): Releases {
  const { system, parts } = context;
  let looked: Promise<{ readonly look: Look; readonly fetcher: Fetcher } | undefined> | undefined;
  const manifests = new Map<string, ReleaseManifest | undefined>();

  const look = async (): ReturnType<() => NonNullable<typeof looked>> => {
    const fetcher = openFetcher(context, configuredMirrors(context));
    return { look: await lookAnyhow(context, fetcher), fetcher };
  };
  const manifestOf = async (version: string): Promise<ReleaseManifest | undefined> => {
    looked ??= orNothing(look);
    const seen = await looked;
    const entry = seen?.look.view.listing.entries.find((one) => one.version === version);
    if (seen === undefined || entry === undefined) return undefined;
    if (!manifests.has(version))
      manifests.set(
        version,
        await orNothing(() => fetchManifest(system, seen.fetcher, seen.look.metadata, entry)),
      );
    return manifests.get(version);
  };
  const applyContext = (fetcher: Fetcher): ApplyContext => ({
    fetcher,
    scratch: PATHS.scratch,
    progress: () => context.checkInterrupted(),
    mayFetch: (_, bytes) =>
      bytes <= REPAIR_BYTES || mayDownload(context.config.settings, 'full', false) === 'yes',
  });

  return {
    root: async (rootHash) => {
      looked ??= orNothing(look);
      const seen = await looked;
      for (const { version } of seen?.look.view.listing.entries ?? []) {
        if (!(await isOf(context, version, rootHash))) continue;
        const manifest = await manifestOf(version);
        if (seen !== undefined && manifest?.root.rootHash === rootHash)
          return { manifest, context: applyContext(seen.fetcher) };
      }
      return undefined;
    },
    uki: async (version) => {
      const manifest = await manifestOf(version);
      const seen = await looked;
      if (seen === undefined || manifest === undefined) return undefined;
      const { sha256, sizeBytes } = manifest.uki;
      return {
        sha256,
        sizeBytes,
        produce: async (outputPath, sourcePath) => {
          await parts.applyUki(system, { ...applyContext(seen.fetcher), manifest, sourcePath, outputPath });
        },
      };
    },
  };
}

/** A version is named by what runs, and by the record; other manifests are not fetched. */
async function isOf(
  { system, parts, running }: Context,
  version: string,
  rootHash: string,
): Promise<boolean> {
  const { committed, older, trial } = await parts.readRecord(system);
  return [running, committed, older, trial].some(
    (one) => one?.version === version && one.rootHash === rootHash,
  );
}

async function orNothing<Result>(body: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof SlipwayError) return undefined;
    throw error;
  }
}
