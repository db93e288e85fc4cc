/** Adds builds to a repository as releases: payloads first, then manifests, then one publication for all of them. */
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../../spec/error.ts';
import { compareVersions } from '../../../spec/version.ts';
import { parseReleaseEntry } from '../../release/entry.ts';
import type { ReleaseEntry, ReleaseManifest } from '../../release/document.ts';
import { MAX_MANIFEST_BYTES, parseReleaseManifest } from '../../release/manifest.ts';
import { payloadName, releaseTargetName } from '../../release/names.ts';
import { forgetStamps } from '../gc/stamps.ts';
import type { TufKeys } from '../keys/load.ts';
import type { TargetEntry } from '../tuf/metadata.ts';
import { repositoryFiles, type RepositoryFiles } from '../repository/files.ts';
import { targetFileName } from '../repository/layout.ts';
import { withRepositoryLock } from '../repository/lock.ts';
import { publish, type Publication } from '../repository/publish.ts';
import type { TargetsFile } from '../repository/signed-file.ts';
import { readPublished } from '../repository/state.ts';
import type { AddOptions } from './add-options.ts';
import type { Build } from './build.ts';
import { imageDigest, imageFolder, releaseImages, type Images } from './images.ts';
import { payloadTools } from './payload-tools.ts';
import { chooseReleases, readManifest, releasesOf, withEntries } from './read.ts';
import { makeManifest } from './new-manifest.ts';
import { payloadToolbox } from './toolbox.ts';
import { payloadsOf } from './read.ts';

export interface Added {
  /** Those that were published before, with the same content, are left as they are. */
  readonly releases: readonly {
    readonly entry: ReleaseEntry;
    readonly manifest: ReleaseManifest;
    readonly status: 'added' | 'unchanged';
  }[];
  readonly publication: Publication;
}

/** How many older releases deltas are made from unless told. */
export const KEEP_DELTAS = 8;

/** Can be cut off and run again at any point. Throws `release.*`, `repository.*`, `keys.*`. */
export async function addReleases(
  directory: string,
  builds: readonly Build[],
  keys: TufKeys,
  options: AddOptions,
): Promise<Added> {
  const files = options.files ?? repositoryFiles(directory);
  return withRepositoryLock(directory, async () => {
    const state = await readPublished(files, keys);
    const known = releasesOf(state.targets);
    checkRequest(builds, known, keys, options);
    const tools =
      options.tools ?? payloadTools(await payloadToolbox(directory, builds.find(({ tools: t }) => t)?.tools));
    const images = releaseImages(files, options.imageFolder ?? imageFolder(repositoryId(keys)), tools);
    const now = options.now ?? new Date();

    const added: Added['releases'][number][] = [];
    const targets: Record<string, TargetEntry> = {};
    // Of several versions at once, the later ones get deltas from the earlier ones.
    for (const build of [...builds].sort((a, b) => compareVersions(a.version, b.version))) {
      const all = [
        ...added.map(({ entry, manifest }) => ({ entry, manifest: () => Promise.resolve(manifest) })),
      ];
      for (const entry of known)
        if (!added.some((each) => releaseTargetName(each.entry) === releaseTargetName(entry)))
          all.push({ entry, manifest: () => readManifest(files, state.targets, entry) });
      const published = all.find(({ entry }) => releaseTargetName(entry) === releaseTargetName(build));
      if (published !== undefined) {
        const manifest = await published.manifest();
        checkSame(build, manifest);
        added.push({ entry: published.entry, manifest, status: 'unchanged' });
        continue;
      }
      const sources = await Promise.all(
        deltaSources(
          build,
          all.map(({ entry }) => entry),
          options,
        ).map(
          (source) =>
            all.find(({ entry }) => entry === source)?.manifest() ?? Promise.reject(new Error('lost')),
        ),
      );
      const [newest] = all
        .filter(({ entry: each }) => isOf([build], each))
        .sort((a, b) => b.entry.sequence - a.entry.sequence);
      const before = await newest?.manifest();
      const manifest = await makeManifest(
        build,
        sources,
        { files, tools, images },
        { ...options, before, now },
      );
      const entry = makeEntry(
        build,
        all.map(({ entry: each }) => each),
        options,
        now,
      );
      const bytes = Buffer.from(JSON.stringify(manifest));
      const name = releaseTargetName(entry);
      // What no machine could read is not published.
      parseReleaseManifest(JSON.parse(bytes.toString('utf8')), parseReleaseEntry(entry, name));
      if (bytes.length > MAX_MANIFEST_BYTES)
        throw new SlipwayError('release.too-large', `the manifest of ${name} has ${bytes.length} bytes`, {
          hint: `at most ${MAX_MANIFEST_BYTES}: shorten the notes, or make fewer deltas (--deltas N)`,
        });
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await files.write(targetFileName(sha256, name), bytes);
      targets[name] = { sizeBytes: bytes.length, sha256, custom: entry };
      added.push({ entry, manifest, status: 'added' });
    }

    const fresh = added.filter(({ status }) => status === 'added');
    const barred = known.filter(
      (entry) => options.barriers.includes(entry.version) && !entry.barrier && isOf(builds, entry),
    );
    const changed =
      fresh.length === 0 && barred.length === 0
        ? {}
        : { targets: { ...withEntries(state.targets, barred.map(asBarrier)), ...targets } };
    await forgetStamps(
      files,
      new Set(fresh.flatMap(({ entry, manifest }) => namesOf(entry, manifest, targets))),
    );
    const publication = await publish(files, state, keys, changed, now);
    await forgetOldImages(files, state.targets, added, images, options.keep);
    return { releases: added, publication };
  });
}

/** Every file that a release adds to what is referred to. */
function namesOf(
  entry: ReleaseEntry,
  manifest: ReleaseManifest,
  targets: Readonly<Record<string, TargetEntry>>,
): readonly string[] {
  const name = releaseTargetName(entry);
  return [
    targetFileName(targets[name]?.sha256 ?? '', name),
    ...payloadsOf(manifest).map(({ sha256 }) => payloadName(sha256)),
  ];
}

/** Tells the caches of repositories apart: by the first key they were made with. */
export function repositoryId(keys: TufKeys): string {
  const [first] = keys.rootChain;
  return createHash('sha256')
    .update(first?.bytes ?? '')
    .digest('hex');
}

function checkRequest(
  builds: readonly Build[],
  known: readonly ReleaseEntry[],
  keys: TufKeys,
  options: AddOptions,
): void {
  const unknown = options.channels.find((channel) => keys.channels[channel] === undefined);
  if (unknown !== undefined) {
    throw new SlipwayError('usage.channel', `there is no channel ${unknown}`, {
      hint: `there are ${Object.keys(keys.channels).join(', ')}; add one: slipway keys init ${keys.directory} --channel ${unknown}`,
    });
  }
  const names = builds.map(releaseTargetName);
  const twice = builds.find((build, index) => names.indexOf(releaseTargetName(build)) !== index);
  if (twice !== undefined)
    throw new SlipwayError(
      'usage.twice',
      `${twice.image} ${twice.version} (${twice.architecture}) is named twice`,
    );
  for (const version of options.from) chooseReleases(known, { version });
  for (const version of options.barriers)
    if (!builds.some((build) => build.version === version)) chooseReleases(known, { version });
}

/** Newest first: the last ones, and those that were named. */
function deltaSources(
  build: Build,
  entries: readonly ReleaseEntry[],
  { keep, from }: AddOptions,
): readonly ReleaseEntry[] {
  const older = entries
    .filter((entry) => isOf([build], entry) && compareVersions(entry.version, build.version) < 0)
    .sort((a, b) => compareVersions(b.version, a.version));
  return older.filter((entry, index) => index < keep || from.includes(entry.version));
}

function makeEntry(
  build: Build,
  entries: readonly ReleaseEntry[],
  options: AddOptions,
  now: Date,
): ReleaseEntry {
  const { image, version, architecture } = build;
  const startsAt = Math.floor(now.getTime() / 1000);
  const sequences = entries.filter((entry) => isOf([build], entry)).map(({ sequence }) => sequence);
  return {
    format: '1.0',
    requires: [],
    ...{ image, version, architecture },
    channels: Object.fromEntries(
      options.channels.map((channel) => [channel, { startsAt, curve: options.curve }]),
    ),
    sequence: Math.max(0, ...sequences) + 1,
    barrier: options.barriers.includes(version),
    ...(options.minimumVersion === undefined ? {} : { minimumVersion: options.minimumVersion }),
    withoutBrake: options.withoutBrake,
  };
}

/** Machines that run the one would take the other for the same (decisions.md 2). */
function checkSame(build: Build, manifest: ReleaseManifest): void {
  if (manifest.root.rootHash === build.root.rootHash && manifest.uki.sha256 === build.uki.sha256) return;
  const what = manifest.root.rootHash === build.root.rootHash ? 'another UKI' : 'another root';
  throw new SlipwayError(
    'release.exists',
    `${build.image} ${build.version} (${build.architecture}) is published already, with ${what}`,
    { hint: 'a version is never published twice: give the image a new one, and build it' },
  );
}

async function forgetOldImages(
  files: RepositoryFiles,
  targets: TargetsFile,
  added: Added['releases'],
  images: Images,
  keep: number,
): Promise<void> {
  const kept = new Set<string>();
  const take = (manifest: ReleaseManifest): void => {
    kept.add(imageDigest('root', manifest)).add(imageDigest('uki', manifest));
  };
  for (const { manifest } of added) take(manifest);
  const perImage = new Map<string, number>();
  for (const entry of releasesOf(targets)) {
    const key = `${entry.image} ${entry.architecture}`;
    const count = (perImage.get(key) ?? 0) + 1;
    perImage.set(key, count);
    if (count <= keep) take(await readManifest(files, targets, entry));
  }
  await images.keepOnly(kept);
}

function isOf(builds: readonly Build[], entry: ReleaseEntry): boolean {
  return builds.some((build) => build.image === entry.image && build.architecture === entry.architecture);
}

function asBarrier(entry: ReleaseEntry): ReleaseEntry {
  return { ...entry, barrier: true };
}
