/** What a timer does: signs the timestamp anew, and what else must be and can be. */
import type { TufKeys } from '../keys/load.ts';
import { expiries, type Expiry } from './expiry.ts';
import { repositoryFiles } from './files.ts';
import { withRepositoryLock } from './lock.ts';
import { publish, type Publication } from './publish.ts';
import { readPublished } from './state.ts';

export interface Refreshed {
  readonly publication: Publication;
  readonly expiries: readonly Expiry[];
}

/** Completes what was signed elsewhere or interrupted, too: a newer targets.json or brake that is not in the snapshot yet. */
export async function refreshRepository(
  directory: string,
  keys: TufKeys,
  now = new Date(),
): Promise<Refreshed> {
  const files = repositoryFiles(directory);
  const publication = await withRepositoryLock(directory, async () =>
    publish(files, await readPublished(files, keys), keys, {}, now),
  );
  return { publication, expiries: expiries(await readPublished(files, keys), keys, now) };
}

/** Signs nothing. */
export async function checkExpiry(
  directory: string,
  keys: TufKeys,
  now = new Date(),
): Promise<readonly Expiry[]> {
  return expiries(await readPublished(repositoryFiles(directory), keys), keys, now);
}
