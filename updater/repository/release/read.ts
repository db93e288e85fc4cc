/** Releases of a repository with their manifests. */
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../../spec/error.ts';
import { compareVersions } from '../../../spec/version.ts';
import type { FileReference, ReleaseEntry, ReleaseManifest } from '../../release/document.ts';
import { parseReleaseManifest } from '../../release/manifest.ts';
import { releaseTargetName } from '../../release/names.ts';
import { listReleases } from '../../release/path.ts';
import type { RepositoryFiles } from '../repository/files.ts';
import { targetFileName } from '../repository/layout.ts';
import type { TargetsFile } from '../repository/signed-file.ts';
import type { TargetEntry } from '../tuf/metadata.ts';

/** Newest first. Throws `repository.invalid` for an entry that cannot be read: it was signed by a later Slipway. */
export function releasesOf(targets: TargetsFile): readonly ReleaseEntry[] {
  const listing = listReleases(
    new Map([...targets.targets].map(([name, target]) => [name, { custom: { slipway: target.custom } }])),
  );
  const [unreadable] = listing.unreadable;
  if (unreadable === undefined) return listing.entries;
  throw new SlipwayError('repository.invalid', `${unreadable.name}: ${unreadable.reason}`, {
    hint: 'a newer Slipway has written to this repository: use that one',
  });
}

/** Throws `repository.damaged` when it is not there, or not what targets.json says. */
export async function readManifest(
  files: RepositoryFiles,
  targets: TargetsFile,
  entry: ReleaseEntry,
): Promise<ReleaseManifest> {
  const name = releaseTargetName(entry);
  const target = targets.targets.get(name);
  if (target === undefined) throw new Error(`${name} is no target`);
  const fileName = targetFileName(target.sha256, name);
  const bytes = await files.read(fileName);
  if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== target.sha256) {
    throw new SlipwayError(
      'repository.damaged',
      `${fileName} is ${bytes === undefined ? 'missing' : 'damaged'}`,
      {
        hint: 'restore it from a copy of the repository; slipway repo verify tells what else is damaged',
      },
    );
  }
  return parseReleaseManifest(JSON.parse(bytes.toString('utf8')), entry);
}

/** Every file that a release's manifest names. */
export function payloadsOf(manifest: ReleaseManifest): readonly FileReference[] {
  const { root, uki, loader, secureBoot } = manifest;
  return [
    ...[root.full, root.blockList, ...root.deltas, uki.full, ...uki.deltas],
    ...(loader === undefined ? [] : [loader]),
    ...(secureBoot ?? []).map(({ auth }) => auth),
  ];
}

/** Which releases a command means: by version, and by image and architecture where there are several of that version. */
export interface ReleaseChoice {
  readonly version: string;
  readonly image?: string;
  readonly architecture?: string;
}

/** At least one. Throws `release.unknown`. */
export function chooseReleases(
  entries: readonly ReleaseEntry[],
  { version, image, architecture }: ReleaseChoice,
): readonly ReleaseEntry[] {
  const found = entries.filter(
    (entry) =>
      compareVersions(entry.version, version) === 0 &&
      (image === undefined || entry.image === image) &&
      (architecture === undefined || entry.architecture === architecture),
  );
  if (found.length > 0) return found;
  const known = [...new Set(entries.map((entry) => entry.version))];
  throw new SlipwayError('release.unknown', `there is no release ${version}`, {
    hint: known.length === 0 ? 'there is none at all' : `there are: ${known.slice(0, 20).join(', ')}`,
  });
}

/** All targets of a repository, with these entries in the place of those with the same name. */
export function withEntries(
  targets: TargetsFile,
  changed: readonly ReleaseEntry[],
): Readonly<Record<string, TargetEntry>> {
  const all = new Map(targets.targets);
  for (const entry of changed) {
    const name = releaseTargetName(entry);
    const target = all.get(name);
    if (target === undefined) throw new Error(`${name} is no target`);
    all.set(name, { ...target, custom: entry });
  }
  return Object.fromEntries(all);
}
