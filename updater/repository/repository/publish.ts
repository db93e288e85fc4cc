/**
 * Signs and writes metadata so that a client sees the old state or the new one at every moment, whenever this is cut off: all files are new ones until
 * timestamp.json, the last, takes the old one's place (failure 7).
 */
import { isDeepStrictEqual } from 'node:util';
import { SlipwayError } from '../../../spec/error.ts';
import { RELEASED } from '../../release/brake.ts';
import type { Brake } from '../../release/document.ts';
import { rolloutRole } from '../../release/tuf-roles.ts';
import type { TufRole } from '../keys/directory.ts';
import type { TufKeys } from '../keys/load.ts';
import {
  metaFile,
  rolloutBody,
  signMetadata,
  snapshotBody,
  targetsBody,
  timestampBody,
  type MetaFile,
  type SignedBody,
  type TargetEntry,
} from '../tuf/metadata.ts';
import { absent, type RepositoryFiles } from './files.ts';
import { metadataName, TIMESTAMP } from './layout.ts';
import { isSignedBy, type SignedFile } from './signed-file.ts';
import type { RepositoryState } from './state.ts';

export interface Change {
  /** All targets from now on. */
  readonly targets?: Readonly<Record<string, TargetEntry>>;
  /** By channel. */
  readonly brakes?: Readonly<Record<string, Brake>>;
}

export interface Publication {
  /** Roles that were signed anew, in the order in which they were written. */
  readonly signed: readonly string[];
  /**
   * Roles that should have been signed anew, but whose private keys are not here. Without a new timestamp, clients see nothing of what was written:
   * `slipway repo refresh` where those keys are completes it.
   */
  readonly waitingFor: readonly string[];
}

const DAY_MS = 86_400_000;

/** What must change is signed, and what has less than half of its time left, as far as its keys are at hand. `now` is the time of signing. */
export async function publish(
  files: RepositoryFiles,
  state: RepositoryState,
  keys: TufKeys,
  change: Change,
  now = new Date(),
): Promise<Publication> {
  const signed: string[] = [];
  const waitingFor: string[] = [];
  const days = state.settings.validDays;
  const due = (file: SignedFile | undefined, validDays: number): boolean =>
    file === undefined || file.expires.getTime() - now.getTime() < (validDays * DAY_MS) / 2;
  /** `needed`: it fails without the keys. `wanted`: without them, it waits for another day, or for who has them. */
  const write = async (
    role: TufRole,
    urgency: 'needed' | 'wanted',
    validDays: number,
    body: (options: { readonly version: number; readonly expires: Date }) => SignedBody,
  ): Promise<SignedFile | undefined> => {
    if (urgency === 'wanted' && keys.available(role).length < (keys.role(role)?.threshold ?? Infinity)) {
      waitingFor.push(role);
      return undefined;
    }
    const version = (state.highest.get(role) ?? currentVersion(state, role)) + 1;
    const expires = new Date(now.getTime() + validDays * DAY_MS);
    const bytes = await signMetadata(body({ version, expires }), keys.signers(role));
    checkSize(role, bytes);
    await files.write(role === 'timestamp' ? TIMESTAMP : metadataName(role, version), bytes);
    signed.push(role);
    return { version, expires, bytes };
  };

  const current = new Map<string, SignedFile>();
  const targets = change.targets ?? Object.fromEntries(state.targets?.targets ?? []);
  const rekeyed =
    state.targets !== undefined &&
    !(
      isDeepStrictEqual(state.targets.channels, keys.channels) &&
      isSignedBy(state.targets.bytes, keys.root.roles.targets)
    );
  current.set('targets.json', state.targets ?? EMPTY);
  if (change.targets !== undefined || rekeyed || due(state.targets, days.targets)) {
    const urgency = change.targets !== undefined || state.targets === undefined ? 'needed' : 'wanted';
    const made = await write('targets', urgency, days.targets, (options) =>
      targetsBody({ ...options, signedAt: now, targets, channels: keys.channels }),
    );
    if (made !== undefined) current.set('targets.json', made);
  }
  for (const [channel, roleKeys] of Object.entries(keys.channels)) {
    const role = rolloutRole(channel) as TufRole;
    const old = state.rollouts.get(channel);
    const brake = change.brakes?.[channel];
    if (old !== undefined) current.set(`${role}.json`, old);
    if (
      brake === undefined &&
      old !== undefined &&
      isSignedBy(old.bytes, roleKeys) &&
      !due(old, days.rollout)
    )
      continue;
    const made = await write(role, brake === undefined ? 'wanted' : 'needed', days.rollout, (options) =>
      rolloutBody(channel, brake ?? old?.brake ?? RELEASED, options),
    );
    if (made !== undefined) current.set(`${role}.json`, made);
  }

  const snapshot = await writeSnapshot(state, keys, current, due(state.snapshot, days.snapshot), (body) =>
    write('snapshot', 'wanted', days.snapshot, body),
  );
  if (snapshot === undefined) {
    if (!waitingFor.includes('timestamp')) waitingFor.push('timestamp');
    return { signed, waitingFor };
  }
  await writeRoots(files, keys, signed);
  await write('timestamp', 'wanted', days.timestamp, (options) =>
    timestampBody({ ...options, snapshot: metaFile(snapshot.version, snapshot.bytes) }),
  );
  return { signed, waitingFor };
}

const EMPTY: SignedFile = { version: 0, expires: new Date(0), bytes: new Uint8Array() };

/** The snapshot that the new timestamp will name: a new one if it must be, `undefined` if it must be and its keys are not here. */
async function writeSnapshot(
  state: RepositoryState,
  keys: TufKeys,
  current: ReadonlyMap<string, SignedFile>,
  due: boolean,
  write: (
    body: (options: { readonly version: number; readonly expires: Date }) => SignedBody,
  ) => Promise<SignedFile | undefined>,
): Promise<SignedFile | undefined> {
  // TUF 5.5.5: what was listed once stays listed, a channel that was dropped too.
  const files: Record<string, MetaFile> = { ...state.snapshot?.meta };
  for (const [name, { version, bytes }] of current) files[name] = metaFile(version, bytes);
  const same =
    state.snapshot !== undefined &&
    isDeepStrictEqual(files, state.snapshot.meta) &&
    isSignedBy(state.snapshot.bytes, keys.root.roles.snapshot);
  if (same && !due) return state.snapshot;
  const made = await write((options) => snapshotBody({ ...options, files }));
  return made ?? (same ? state.snapshot : undefined);
}

/** After everything that they vouch for, so that a client which follows them finds it; and none is ever changed. */
async function writeRoots(files: RepositoryFiles, keys: TufKeys, signed: string[]): Promise<void> {
  for (const { version, bytes } of keys.rootChain) {
    const name = metadataName('root', version);
    const found = await files.read(name).catch(absent);
    if (found === undefined) {
      await files.write(name, bytes);
      signed.push('root');
    } else if (!found.equals(Buffer.from(bytes))) {
      throw new SlipwayError(
        'repository.other-keys',
        `${name} in ${files.directory} is another one than in the keys directory`,
      );
    }
  }
}

function currentVersion(state: RepositoryState, role: TufRole): number {
  return role === 'timestamp' ? (state.timestamp?.version ?? 0) : 0;
}

/** Machines read no longer ones (docs/repository-format.md). */
const MOST_BYTES = { targets: 1024 * 1024, timestamp: 16 * 1024, others: 64 * 1024 };

function checkSize(role: TufRole, bytes: Uint8Array): void {
  const limit = role === 'targets' || role === 'timestamp' ? MOST_BYTES[role] : MOST_BYTES.others;
  if (bytes.length <= limit) return;
  throw new SlipwayError(
    'repository.too-large',
    `${role}.json would have ${bytes.length} bytes: machines read ${limit}`,
    {
      hint: 'drop old releases: slipway repo gc --keep N',
    },
  );
}
