/** The metadata of a repository as a client reads it (TUF 5.3 to 5.6), by tuf-js, which is what machines judge by, too. */
import { createHash } from 'node:crypto';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';
import { SlipwayError } from '../../../spec/error.ts';
import { parseBrake } from '../../release/brake.ts';
import { rolloutRole, rolloutTarget } from '../../release/tuf-roles.ts';
import type { RepositoryFiles } from '../repository/files.ts';
import { metadataName, TIMESTAMP } from '../repository/layout.ts';
import { parseTargets, type TargetsFile } from '../repository/signed-file.ts';

export interface ClientView {
  readonly targets: TargetsFile;
  /** Names of all files that this state of the repository consists of, payloads and manifests aside. */
  readonly metadata: ReadonlySet<string>;
  /** From then on no client follows: the first of root, timestamp, snapshot and targets to expire. */
  readonly validUntil: Date;
  /** Channels whose brake cannot be read, and why. Machines wait, or go on without (ReleaseEntry.withoutBrake). */
  readonly brakeFaults: readonly { readonly channel: string; readonly reason: string }[];
}

/** `root`: the one that is trusted to begin with, of any version. Throws `repository.refused` when a client would not follow. */
export async function readAsClient(
  files: RepositoryFiles,
  root: Uint8Array,
  now = new Date(),
): Promise<ClientView> {
  const metadata = new Set<string>();
  const read = async (name: string): Promise<Buffer> => {
    const bytes = await files.read(name);
    if (bytes === undefined) throw refused(name, 'is missing');
    metadata.add(name);
    return bytes;
  };
  const judged = <T>(name: string, work: () => T): T => {
    try {
      return work();
    } catch (cause) {
      throw refused(name, cause instanceof Error ? cause.message : String(cause), cause);
    }
  };

  const store = judged('the trusted root', () => new TrustedMetadataStore(Buffer.from(root)));
  // It takes the time when it is made; what is read may be from another.
  (store as unknown as { referenceTime: Date }).referenceTime = now;
  // TUF 5.3.3
  for (let version = store.root.signed.version + 1; ; version++) {
    const name = metadataName('root', version);
    const bytes = await files.read(name);
    if (bytes === undefined) break;
    metadata.add(name);
    judged(name, () => store.updateRoot(bytes));
  }
  // TUF 5.4
  const timestampBytes = await read(TIMESTAMP);
  const timestamp = judged(TIMESTAMP, () => store.updateTimestamp(timestampBytes));
  // TUF 5.5
  const snapshotName = metadataName('snapshot', timestamp.signed.snapshotMeta.version);
  const snapshotBytes = await read(snapshotName);
  const snapshot = judged(snapshotName, () => store.updateSnapshot(snapshotBytes));
  const versionOf = (role: string): number => {
    const found = snapshot.signed.meta[`${role}.json`]?.version;
    if (found === undefined) throw refused(snapshotName, `does not name ${role}.json`);
    return found;
  };
  // TUF 5.6
  const targetsName = metadataName('targets', versionOf('targets'));
  const targetsBytes = await read(targetsName);
  judged(targetsName, () => store.updateDelegatedTargets(targetsBytes, 'targets', 'root'));
  const targets = parseTargets(targetsBytes, targetsName);
  const brakeFaults: { channel: string; reason: string }[] = [];
  for (const channel of Object.keys(targets.channels)) {
    const role = rolloutRole(channel);
    try {
      const name = metadataName(role, versionOf(role));
      const bytes = await read(name);
      judged(name, () => store.updateDelegatedTargets(bytes, role, 'targets'));
      const custom = store.getRole(role)?.signed.targets[rolloutTarget(channel)]?.custom;
      parseBrake(custom?.['slipway'], channel);
    } catch (error) {
      brakeFaults.push({ channel, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  const { root: newest, targets: top } = store;
  const expiries = [newest, timestamp, snapshot, top].map((one) => Date.parse(one?.signed.expires ?? ''));
  return { targets, metadata, brakeFaults, validUntil: new Date(Math.min(...expiries)) };
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function refused(name: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('repository.refused', `a client would not follow: ${name}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'if it has only expired: slipway repo refresh',
  });
}
