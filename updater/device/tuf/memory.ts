/**
 * What was verified since this machine started, in memory (`/run`): digests of documents, so that a poll with one new timestamp verifies one
 * signature and not five. It must not lie on state: that is untrusted, and who could write there could with a stolen timestamp key bring in targets
 * that nobody signed. /run holds only what this boot's verified root has put there.
 */
import type { System } from '../../../system/system.ts';

export interface VerifiedDocuments {
  /** That all were verified under, the image's own or a stored one; this file lives no longer than the image runs. */
  readonly root: { readonly version: number; readonly sha256: string };
  /** Digests by role; delegated ones were verified under these very targets. */
  readonly roles: Readonly<Record<string, string>>;
}

/** `undefined` when nothing is remembered. */
export function readVerified(system: System, path: string | undefined): VerifiedDocuments | undefined {
  const text = path === undefined ? undefined : system.readText(path);
  if (text === undefined) return undefined;
  try {
    const { root, roles } = JSON.parse(text) as VerifiedDocuments;
    const digests = [root.sha256, ...Object.values(roles)];
    if (Number.isInteger(root.version) && digests.every((digest) => /^[0-9a-f]{64}$/.test(digest)))
      return { root, roles };
  } catch {
    // Cut short by a crash: everything is verified once more.
  }
  return undefined;
}

/** It is no harm when it cannot be written. */
export function writeVerified(system: System, path: string | undefined, verified: VerifiedDocuments): void {
  if (path === undefined) return;
  try {
    system.makeDirectory(path.slice(0, path.lastIndexOf('/')), 0o700);
    system.writeText(path, JSON.stringify(verified), 0o600);
  } catch {
    system.log(`cannot write ${path}`);
  }
}
