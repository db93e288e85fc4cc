/** A repository as it stands, every document checked against the publisher's own keys. */
import { existsSync } from 'node:fs';
import { SlipwayError } from '../../../spec/error.ts';
import { parseBrake } from '../../release/brake.ts';
import type { Brake } from '../../release/document.ts';
import { rolloutTarget } from '../../release/tuf-roles.ts';
import type { RoleKeys, TopLevelRole } from '../keys/directory.ts';
import type { TufKeys } from '../keys/load.ts';
import { parseRoot, type RootContent } from '../tuf/root.ts';
import { absent, type RepositoryFiles } from './files.ts';
import { metadataName, parseFileName, TIMESTAMP } from './layout.ts';
import { readSettings, type Settings } from './settings.ts';
import {
  isSignedBy,
  parseMetaList,
  parseTargets,
  type MetaListFile,
  type TargetsFile,
} from './signed-file.ts';

export interface RolloutFile extends TargetsFile {
  readonly brake: Brake;
}

export interface RepositoryState {
  readonly settings: Settings;
  /** Newest version of root that is published; 0 when there is none yet. */
  readonly rootVersion: number;
  /** The newest that is whole and signed, published or waiting for its snapshot (offline keys sign elsewhere). */
  readonly targets: TargetsFile | undefined;
  readonly rollouts: ReadonlyMap<string, RolloutFile>;
  /** What clients see; `undefined` before the first publication, or when other keys have signed it. */
  readonly snapshot: MetaListFile | undefined;
  readonly timestamp: MetaListFile | undefined;
  /** Highest version of each role of which there is a file, whoever signed it: numbers are never used twice. */
  readonly highest: ReadonlyMap<string, number>;
}

/** Throws `repository.missing`, and `repository.other-keys` for a repository that these keys did not make. */
export async function readState(files: RepositoryFiles, keys: TufKeys): Promise<RepositoryState> {
  if (!existsSync(files.directory)) throw missing(files.directory);
  const names = await files.list();
  const versions = versionsByRole(names);
  const highest = new Map([...versions].map(([role, all]) => [role, all[0] ?? 0]));
  const roots = await trustedRoots(files, keys, versions.get('root') ?? []);
  const keysOf = (role: TopLevelRole): readonly RoleKeys[] => roots.map((root) => root.roles[role]);

  const newest = async <T>(
    role: string,
    trusted: readonly RoleKeys[],
    parse: (bytes: Uint8Array, name: string) => T,
  ): Promise<T | undefined> => {
    for (const version of versions.get(role) ?? []) {
      const name = metadataName(role, version);
      const bytes = await files.read(name);
      if (bytes !== undefined && trusted.some((each) => isSignedBy(bytes, each))) return parse(bytes, name);
    }
    return undefined;
  };

  const targets = await newest('targets', keysOf('targets'), parseTargets);
  const rollouts = new Map<string, RolloutFile>();
  for (const channel of new Set([...Object.keys(keys.channels), ...Object.keys(targets?.channels ?? {})])) {
    const trusted = [keys.channels[channel], targets?.channels[channel]].filter((each) => each !== undefined);
    const file = await newest(`rollout-${channel}`, trusted, parseTargets);
    if (file !== undefined)
      rollouts.set(channel, {
        ...file,
        brake: parseBrake(file.targets.get(rolloutTarget(channel))?.custom, channel),
      });
  }
  const timestampBytes = await files.read(TIMESTAMP).catch(absent);
  const timestamp =
    timestampBytes !== undefined && keysOf('timestamp').some((each) => isSignedBy(timestampBytes, each))
      ? parseMetaList(timestampBytes, TIMESTAMP)
      : undefined;
  const publishedSnapshot = timestamp?.meta['snapshot.json']?.version;
  const snapshotBytes =
    publishedSnapshot === undefined
      ? undefined
      : await files.read(metadataName('snapshot', publishedSnapshot));
  return {
    settings: await readSettings(files.directory),
    rootVersion: highest.get('root') ?? 0,
    targets,
    rollouts,
    snapshot:
      snapshotBytes !== undefined && keysOf('snapshot').some((each) => isSignedBy(snapshotBytes, each))
        ? parseMetaList(snapshotBytes, metadataName('snapshot', publishedSnapshot ?? 0))
        : undefined,
    timestamp,
    highest,
  };
}

/** Like `readState`, for what needs releases: throws `repository.missing` when nothing was published there yet. */
export async function readPublished(
  files: RepositoryFiles,
  keys: TufKeys,
): Promise<RepositoryState & { readonly targets: TargetsFile }> {
  const state = await readState(files, keys);
  if (state.targets === undefined) throw missing(files.directory);
  return { ...state, targets: state.targets };
}

/**
 * The newest root, and the one that is published: between a rotation and its publication, the repository is still signed with the old keys. Older
 * ones are not believed: their keys may have been stolen.
 */
async function trustedRoots(
  files: RepositoryFiles,
  keys: TufKeys,
  published: readonly number[],
): Promise<readonly RootContent[]> {
  for (const version of published) {
    const own = keys.rootChain.find((root) => root.version === version);
    const bytes = await files.read(metadataName('root', version));
    if (own !== undefined && bytes !== undefined && Buffer.from(own.bytes).equals(bytes)) continue;
    throw new SlipwayError(
      'repository.other-keys',
      `${metadataName('root', version)} in ${files.directory} is not the one of ${keys.directory}`,
      { hint: 'name the keys that the repository was made with: --keys DIR' },
    );
  }
  const current = keys.rootChain.find((root) => root.version === published[0]);
  return current === undefined || current.version === keys.root.version
    ? [keys.root]
    : [keys.root, parseRoot(current.bytes, metadataName('root', current.version))];
}

/** Highest first. */
function versionsByRole(names: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const versions = new Map<string, number[]>();
  for (const name of names) {
    const parsed = parseFileName(name);
    if (parsed?.kind === 'metadata')
      versions.set(parsed.role, [...(versions.get(parsed.role) ?? []), parsed.version]);
  }
  for (const all of versions.values()) all.sort((a, b) => b - a);
  return versions;
}

function missing(directory: string): SlipwayError {
  return new SlipwayError('repository.missing', `there is no repository in ${directory}`, {
    hint: `make one: slipway repo init ${directory}`,
  });
}
