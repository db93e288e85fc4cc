/**
 * Removes what nobody needs any more. Old releases leave targets.json by number; files go only when nothing has referred to them for a while, so that a
 * client that read the state before, and still downloads, finds all of it.
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareVersions } from '../../../spec/version.ts';
import type { ReleaseEntry } from '../../release/document.ts';
import { payloadName, releaseTargetName } from '../../release/names.ts';
import type { TufKeys } from '../keys/load.ts';
import { payloadsOf, readManifest, releasesOf } from '../release/read.ts';
import { repositoryFiles, type RepositoryFiles } from '../repository/files.ts';
import { metadataName, parseFileName, targetFileName, TIMESTAMP } from '../repository/layout.ts';
import { withRepositoryLock } from '../repository/lock.ts';
import { publish, type Publication } from '../repository/publish.ts';
import { parseMetaList, parseTargets, type TargetsFile } from '../repository/signed-file.ts';
import { readPublished, type RepositoryState } from '../repository/state.ts';
import { strandedVersions } from '../verify/paths.ts';
import { readStamps, writeStamps } from './stamps.ts';

export interface CollectOptions {
  /** The newest so many releases of each image and architecture stay; without, all. Barriers, and what is newest on a channel, stay anyway. */
  readonly keep?: number;
  /** Files that have not been referred to for so long are removed. */
  readonly graceSeconds: number;
  /** `plan` only tells. */
  readonly mode: 'remove' | 'plan';
  readonly now?: Date;
}

export interface Collected {
  readonly dropped: readonly ReleaseEntry[];
  readonly removed: readonly { readonly name: string; readonly sizeBytes: number }[];
  /** Files that will go when their time has come. */
  readonly waiting: readonly { readonly name: string; readonly sizeBytes: number; readonly since: Date }[];
  readonly publication: Publication | undefined;
}

export const DEFAULT_GRACE_SECONDS = 7 * 86400;

export async function collectGarbage(
  directory: string,
  keys: TufKeys,
  options: CollectOptions,
): Promise<Collected> {
  const files = repositoryFiles(directory);
  const now = options.now ?? new Date();
  return withRepositoryLock(directory, async () => {
    let state = await readPublished(files, keys);
    const dropped = droppable(releasesOf(state.targets), options.keep);
    let publication: Publication | undefined;
    if (dropped.length > 0 && options.mode === 'remove') {
      const names = new Set(dropped.map(releaseTargetName));
      const targets = [...state.targets.targets].filter(([name]) => !names.has(name));
      publication = await publish(files, state, keys, { targets: Object.fromEntries(targets) }, now);
      state = await readPublished(files, keys);
    }
    const needed = await referenced(files, state);
    const unneeded = await unreferenced(files, needed, now, options.mode);
    const limit = now.getTime() - options.graceSeconds * 1000;
    const removed = unneeded.filter(({ since }) => since.getTime() <= limit);
    if (options.mode === 'remove') {
      for (const { name } of removed) await files.remove(name);
      const gone = new Set(removed.map(({ name }) => name));
      await writeStamps(
        files,
        unneeded.filter(({ name }) => !gone.has(name)),
      );
    }
    return {
      dropped,
      removed: removed.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
      waiting: unneeded.filter((each) => !removed.includes(each)),
      publication,
    };
  });
}

/** Oldest releases beyond the number that is kept, as long as every version that stays leads to the newest without them. */
export function droppable(
  entries: readonly ReleaseEntry[],
  keep: number | undefined,
): readonly ReleaseEntry[] {
  if (keep === undefined) return [];
  const newestOf = new Map<string, ReleaseEntry>();
  const ranks = new Map<string, number>();
  const sorted = [...entries].sort((a, b) => compareVersions(b.version, a.version));
  const beyond = sorted.filter((entry) => {
    const kind = `${entry.image} ${entry.architecture}`;
    if (entry.withdrawn === undefined)
      for (const channel of Object.keys(entry.channels))
        if (!newestOf.has(`${kind} ${channel}`)) newestOf.set(`${kind} ${channel}`, entry);
    const rank = (ranks.get(kind) ?? 0) + 1;
    ranks.set(kind, rank);
    return rank > keep;
  });
  const newest = new Set(newestOf.values());
  const candidates = beyond.filter(
    (entry) => !newest.has(entry) && (!entry.barrier || entry.withdrawn !== undefined),
  );
  const before = strandedVersions(entries).length;
  const dropped: ReleaseEntry[] = [];
  for (const candidate of candidates.reverse()) {
    const rest = entries.filter((entry) => entry !== candidate && !dropped.includes(entry));
    if (strandedVersions(rest).length <= before) dropped.push(candidate);
  }
  return dropped;
}

/** Everything that the published state names, and what waits to be published. */
async function referenced(
  files: RepositoryFiles,
  state: RepositoryState & { readonly targets: TargetsFile },
): Promise<ReadonlySet<string>> {
  const needed = new Set<string>([TIMESTAMP]);
  const takeTargets = async (targets: TargetsFile): Promise<void> => {
    for (const [name, { sha256 }] of targets.targets) needed.add(targetFileName(sha256, name));
    for (const entry of releasesOf(targets))
      for (const { sha256 } of payloadsOf(await readManifest(files, targets, entry)))
        needed.add(payloadName(sha256));
  };
  needed.add(metadataName('targets', state.targets.version));
  await takeTargets(state.targets);
  for (const [channel, { version }] of state.rollouts)
    needed.add(metadataName(`rollout-${channel}`, version));
  // Whoever has signed them, and whether or not a newer one waits: what clients see stays.
  const timestamp = await files.read(TIMESTAMP);
  const snapshotVersion =
    timestamp === undefined ? undefined : parseMetaList(timestamp, TIMESTAMP).meta['snapshot.json']?.version;
  const snapshotName = metadataName('snapshot', snapshotVersion ?? 0);
  const snapshot = await files.read(snapshotName);
  if (snapshot !== undefined) {
    needed.add(snapshotName);
    for (const [name, { version }] of Object.entries(parseMetaList(snapshot, snapshotName).meta))
      needed.add(metadataName(name.replace(/\.json$/, ''), version));
  }
  const published =
    snapshot === undefined ? undefined : parseMetaList(snapshot, snapshotName).meta['targets.json'];
  if (published !== undefined && published.version !== state.targets.version) {
    const name = metadataName('targets', published.version);
    const bytes = await files.read(name);
    if (bytes !== undefined) await takeTargets(parseTargets(bytes, name));
  }
  return needed;
}

interface Unreferenced {
  readonly name: string;
  readonly sizeBytes: number;
  readonly since: Date;
}

/** Since when, `.slipway/garbage.json` remembers; lost, the time begins anew. Roots are never unneeded. */
async function unreferenced(
  files: RepositoryFiles,
  needed: ReadonlySet<string>,
  now: Date,
  mode: CollectOptions['mode'],
): Promise<readonly Unreferenced[]> {
  const stamps = await readStamps(files);
  const found: Unreferenced[] = [];
  for (const name of await files.list()) {
    const parsed = parseFileName(name);
    if (parsed === undefined || needed.has(name)) continue;
    if (parsed.kind === 'metadata' && parsed.role === 'root') continue;
    const { size } = await stat(join(files.directory, name));
    found.push({ name, sizeBytes: size, since: new Date(stamps[name] ?? now.toISOString()) });
  }
  if (mode === 'remove') await writeStamps(files, found);
  return found;
}
