/** TUF 5: the detailed client workflow, over stored documents and a repository; and what is stored, without one. */
import type { System } from '../../../system/system.ts';
import { rolloutTarget } from '../../release/tuf-roles.ts';
import { judgedNow } from './clock.ts';
import { contentsOf, delegates, type TrustedMetadata } from './contents.ts';
import { describeFault, isMetadataFault, isSameVersion, metadataFault } from './fault.ts';
import { fileName, openSession, rootName, type MetadataOptions, type Session } from './session.ts';
import { isNamed, type Document } from './trusted.ts';

/** Fetches a file of the repository, at most so many bytes. */
export type MetadataFetch = (name: string, limitBytes: number) => Promise<Uint8Array | 'missing'>;

export interface RefreshOptions extends MetadataOptions {
  readonly fetch: MetadataFetch;
  /** Other mirrors, asked one by one when what `fetch` brought was refused: one hostile mirror must not silence the honest ones. */
  readonly others?: () => readonly MetadataFetch[];
}

/**
 * Brings the stored documents up to date, and returns what they say. What was verified before a failure is kept: roots are followed further the
 * next time, and nothing older is accepted again. Throws a MetadataFault, or what `fetch` throws.
 */
export async function refreshMetadata(system: System, options: RefreshOptions): Promise<TrustedMetadata> {
  try {
    return await refreshFrom(system, options);
  } catch (error) {
    if (!isMetadataFault(error)) throw error;
    for (const fetch of options.others?.() ?? []) {
      try {
        return await refreshFrom(system, { ...options, fetch });
      } catch {
        // The first fault is the one that is told.
      }
    }
    throw error;
  }
}

async function refreshFrom(system: System, options: RefreshOptions): Promise<TrustedMetadata> {
  const session = await openSession(system, options);
  try {
    await refreshTopLevel(system, session, options.fetch);
    for (const role of wantedRoles(session, options.channels))
      await refreshRollout(session, role, options.fetch);
    const contents = contentsOf(system, session);
    // New targets may have raised the floor above what timestamp or snapshot claim to be valid until.
    if (contents.timestampExpired)
      throw metadataFault('metadata.expired', 'the metadata expired before it was signed');
    return contents;
  } finally {
    if (!(await session.stored.flush())) system.log(`cannot store metadata in ${options.directory}`);
    session.remember();
  }
}

/**
 * What is stored, without a network: verified as always, expired or not. Where a refresh was cut short, or state was lost, so that timestamp and snapshot do not tell of the stored targets,
 * these count on their own signatures, and `timestampExpired` is true. `undefined` when there are no targets. Never throws for what is stored.
 */
export async function loadMetadata(
  system: System,
  options: MetadataOptions,
): Promise<TrustedMetadata | undefined> {
  const session = await openSession(system, options);
  const { trusted, limits } = session;
  trusted.judgeAt(0);
  const whole = ignoring(() => loadTopLevel(session));
  const believe = whole ? trusted.targets : trusted.targetsAlone;
  const targets = session.storedDocument('targets', limits.targetsBytes);
  if (!whole && (targets === undefined || !ignoring(() => believe(targets, 'targets', 'root'))))
    return undefined;
  const roles = wantedRoles(session, options.channels, whole ? 'named' : 'any');
  for (const role of roles) {
    const document = session.storedDocument(role, limits.delegatedBytes);
    // A bad one is as if it were not there: what a release does then is signed offline.
    if (document !== undefined && ignoring(() => believe(document, role, 'targets')))
      session.accepted(role, document);
  }
  if (whole) session.remember();
  return contentsOf(system, session);
}

function loadTopLevel(session: Session): void {
  const { trusted, limits, storedDocument, accepted } = session;
  const need = (role: string, limitBytes: number, believe: (document: Document) => void): void => {
    const document = storedDocument(role, limitBytes);
    if (document === undefined) throw new Error(`there is no ${role}`);
    believe(document);
    accepted(role, document);
  };
  need('timestamp', limits.timestampBytes, (document) => trusted.timestamp(document));
  need('snapshot', limits.snapshotBytes, (document) => believeSnapshot(session, document));
  need('targets', limits.targetsBytes, (document) => trusted.targets(document, 'targets', 'root'));
}

/** TUF 5.3 to 5.6, up to top-level targets. */
export async function refreshTopLevel(system: System, session: Session, fetch: MetadataFetch): Promise<void> {
  const { trusted } = session;
  await refreshRoot(session, fetch);
  // TUF 5.3.10: expiry of root is judged once its newest version is known; so is the floor, since new keys may take back an old one.
  const nowMs = judgedNow(system.wallClockMs(), session.floorMs());
  trusted.judgeAt(nowMs);
  if (trusted.store.root.signed.isExpired(new Date(nowMs)))
    throw metadataFault('metadata.expired', `root ${trusted.store.root.signed.version} has expired`);
  await refreshTimestamp(session, fetch);
  await refreshSnapshot(session, fetch);
  await refreshTargets(session, 'targets', 'root', session.limits.targetsBytes, fetch);
}

/** TUF 5.3: every version, one after another. */
async function refreshRoot(
  { trusted, stored, limits, rootChanged }: Session,
  fetch: MetadataFetch,
): Promise<void> {
  for (let count = 0; count < limits.rootRotations; count++) {
    const version = trusted.store.root.signed.version + 1;
    const bytes = await fetch(`${version}.root.json`, limits.rootBytes);
    if (bytes === 'missing') return;
    const document = { bytes };
    attempt(`root ${version}`, () => trusted.root(document));
    rootChanged(document);
    stored.write(rootName(version), bytes);
    stored.write('root.json', bytes);
  }
}

/** TUF 5.4. */
async function refreshTimestamp(session: Session, fetch: MetadataFetch): Promise<void> {
  const { trusted, stored, limits } = session;
  const old = session.storedDocument('timestamp', limits.timestampBytes);
  // An expired one still says below which version nothing goes.
  const oldIsGood = old !== undefined && ignoring(() => trusted.timestamp(old), 'metadata.expired');
  if (oldIsGood) session.accepted('timestamp', old);
  const bytes = await fetch('timestamp.json', limits.timestampBytes);
  if (bytes === 'missing') throw metadataFault('metadata.try-later', 'there is no timestamp.json');
  if (oldIsGood && sameBytes(bytes, old.bytes)) return attempt('timestamp', () => trusted.checkTimestamp());
  const document = { bytes };
  try {
    trusted.timestamp(document);
  } catch (error) {
    if (!isSameVersion(error)) throw describeFault('timestamp', error);
    // TUF 5.4.3.1: the same version is discarded, and the stored one goes on, if its time is not over.
    if (old !== undefined) attempt('timestamp', () => trusted.checkTimestamp());
    return;
  }
  session.accepted('timestamp', document);
  stored.write(fileName('timestamp'), bytes);
}

/** TUF 5.5. */
async function refreshSnapshot(session: Session, fetch: MetadataFetch): Promise<void> {
  const { trusted, stored, limits } = session;
  const meta = trusted.store.timestamp?.signed.snapshotMeta;
  if (meta === undefined) throw new Error('the timestamp comes first');
  const old = session.storedDocument('snapshot', limits.snapshotBytes);
  if (old !== undefined && ignoring(() => trusted.snapshot(old, true)) && isNamed(meta, old) !== false) {
    session.accepted('snapshot', old);
    return;
  }
  const document = await fetchNamed(session, 'snapshot', meta, limits.snapshotBytes, fetch);
  attempt(`snapshot ${meta.version}`, () => trusted.snapshot(document, false));
  session.accepted('snapshot', named(document, meta));
  stored.write(fileName('snapshot'), document.bytes);
}

/** TUF 5.6: targets, and roles that it delegates to. */
export async function refreshTargets(
  session: Session,
  role: string,
  delegator: string,
  limitBytes: number,
  fetch: MetadataFetch,
): Promise<void> {
  const { trusted, stored } = session;
  const meta = trusted.store.snapshot?.signed.meta[`${role}.json`];
  if (meta === undefined) throw metadataFault('metadata.invalid', `snapshot does not name ${role}`);
  const old = session.storedDocument(role, limitBytes);
  if (old !== undefined && ignoring(() => trusted.targets(old, role, delegator))) {
    session.accepted(role, old);
    return;
  }
  const document = await fetchNamed(session, role, meta, limitBytes, fetch);
  attempt(`${role} ${meta.version}`, () => trusted.targets(document, role, delegator));
  session.accepted(role, named(document, meta));
  stored.write(fileName(role), document.bytes);
}

/** Whatever is wrong with it stops the refresh: who could take a brake away by breaking it would need no key. Only its expiry is left to the release. */
async function refreshRollout(session: Session, role: string, fetch: MetadataFetch): Promise<void> {
  session.trusted.judgeAt(0);
  await refreshTargets(session, role, 'targets', session.limits.delegatedBytes, fetch);
}

/** Roles of channels that targets.json delegates to as it should. */
function wantedRoles(
  { trusted, limits }: Session,
  channels: readonly string[] | undefined,
  which: 'named' | 'any' = 'named',
): readonly string[] {
  const { targets, snapshot } = trusted.store;
  return Object.keys(targets?.signed.delegations?.roles ?? {})
    .filter((role) => role.startsWith('rollout-'))
    .filter((role) => {
      const channel = role.slice('rollout-'.length);
      return (channels?.includes(channel) ?? true) && delegates(targets, role, rolloutTarget(channel));
    })
    .filter((role) => which === 'any' || snapshot?.signed.meta[`${role}.json`] !== undefined)
    .slice(0, limits.delegatedRoles);
}

async function fetchNamed(
  { trusted }: Session,
  role: string,
  meta: { readonly version: number; readonly length?: number | undefined },
  limitBytes: number,
  fetch: MetadataFetch,
): Promise<Document> {
  const name = encodeURIComponent(role);
  const versioned = trusted.store.root.signed.consistentSnapshot
    ? `${meta.version}.${name}.json`
    : `${name}.json`;
  const bytes = await fetch(versioned, Math.min(meta.length ?? limitBytes, limitBytes));
  if (bytes !== 'missing') return { bytes };
  throw metadataFault('metadata.try-later', `there is no ${versioned}, which should be`);
}

/** A document that was verified to have the digest that another names. */
function named(
  document: Document,
  { hashes }: { readonly hashes?: Record<string, string> | undefined },
): Document {
  const sha256 = hashes?.['sha256'];
  return sha256 === undefined ? document : { ...document, sha256 };
}

/** The stored snapshot, when it is the one that the stored timestamp names. */
function believeSnapshot({ trusted }: Session, document: Document): void {
  trusted.snapshot(document, true);
  const meta = trusted.store.timestamp?.signed.snapshotMeta;
  if (meta === undefined || isNamed(meta, document) === false)
    throw metadataFault('metadata.invalid', 'the snapshot is not the one that the timestamp names');
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function attempt(document: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw describeFault(document, error);
  }
}

/** False when it threw; with a fault given, that one counts as good. */
function ignoring(action: () => void, fault?: 'metadata.expired'): boolean {
  try {
    action();
    return true;
  } catch (error) {
    return fault !== undefined && describeFault('', error).code === fault;
  }
}
