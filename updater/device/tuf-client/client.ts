/** The client's directory: the machine's store of metadata, and beside it the root that it was given. */
import type { System } from '../../../system/system.ts';
import type { MetadataLimits } from '../tuf/limits.ts';
import { openSession, type Session } from '../tuf/session.ts';
import { openStored } from '../tuf/stored.ts';

/** What stands in an image otherwise. No `.json`: all with that ending are documents that are trusted now. */
const GIVEN_ROOT = 'given-root';

/** Other people's repositories are larger than ours: the limits of tuf-js. */
const LIMITS: MetadataLimits = {
  rootBytes: 512_000,
  timestampBytes: 16_384,
  snapshotBytes: 2_000_000,
  targetsBytes: 5_000_000,
  delegatedBytes: 5_000_000,
  rootRotations: 256,
  delegatedRoles: 32,
};

export async function initClient(system: System, directory: string, rootPath: string): Promise<void> {
  const slash = rootPath.lastIndexOf('/');
  const bytes = openStored(system, slash < 0 ? '.' : rootPath.slice(0, slash + 1)).read(
    rootPath.slice(slash + 1),
    LIMITS.rootBytes,
  );
  if (bytes === undefined) throw new Error(`cannot read ${rootPath}`);
  const stored = openStored(system, directory);
  stored.write(GIVEN_ROOT, bytes);
  stored.write('root.json', bytes);
  if (!(await stored.flush())) throw new Error(`cannot write to ${directory}`);
}

/** Asks nothing of the repository yet. */
export function openClient(system: System, directory: string): Promise<Session> {
  const root = openStored(system, directory).read(GIVEN_ROOT, LIMITS.rootBytes);
  if (root === undefined) throw new Error(`${directory} was not initialized`);
  return openSession(system, { directory, root, buildTimeMs: 0, limits: LIMITS });
}

export async function closeClient({ stored }: Session): Promise<void> {
  if (!(await stored.flush())) throw new Error('cannot store what was verified');
}
