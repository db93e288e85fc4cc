/** What a refresh and an offline look have in common: the way from the image's root to the newest, stored documents, and what is remembered. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { Metadata, MetadataKind } from '@tufjs/models';
import type { System } from '../../../system/system.ts';
import { signedAtMs } from './clock.ts';
import { describeFault } from './fault.ts';
import { METADATA_LIMITS, type MetadataLimits } from './limits.ts';
import { readVerified, writeVerified, type VerifiedDocuments } from './memory.ts';
import { openStored, ROOTS, type StoredDocuments } from './stored.ts';
import { trustRoot, type Document, type TrustedDocuments } from './trusted.ts';

export interface MetadataOptions {
  /** Where documents are kept; made when it is missing. */
  readonly directory: string;
  /** The image's root: the floor. */
  readonly root: Uint8Array;
  /** When the image was built: its clock cannot be earlier. */
  readonly buildTimeMs: number;
  /** A file in /run that remembers what was verified since this machine started. */
  readonly memory?: string;
  /** Whose rollout documents are wanted; all that targets.json delegates to unless told. */
  readonly channels?: readonly string[];
  readonly limits?: Partial<MetadataLimits>;
}

export interface Session {
  readonly trusted: TrustedDocuments;
  readonly stored: StoredDocuments;
  readonly limits: MetadataLimits;
  /** A stored document of a role, with what is known of it; `undefined` when there is none. */
  readonly storedDocument: (role: string, limitBytes: number) => Document | undefined;
  /** A document was verified: it is remembered when the session ends. */
  readonly accepted: (role: string, document: Document) => void;
  /** The root has changed: signatures that were verified under the old one count no more. */
  readonly rootChanged: (document: Document) => void;
  /** The latest time that offline keys signed for, and the image's build. */
  readonly floorMs: () => number;
  readonly remember: () => void;
}

/** Throws `metadata.invalid` when the image's own root is broken: nothing else stops it. */
export async function openSession(system: System, options: MetadataOptions): Promise<Session> {
  const limits = { ...METADATA_LIMITS, ...options.limits };
  const stored = openStored(system, options.directory);
  const before = readVerified(system, options.memory);
  const names = [
    ...(before === undefined ? [] : [rootName(before.root.version)]),
    ...system.list(options.directory).filter((name) => name.endsWith('.json') && name !== 'root.json'),
  ];
  const digests = await stored.digests(names);
  let verified: VerifiedDocuments['roles'] = {};
  const roles: Record<string, string> = {};
  const read = new Map<string, Uint8Array>();

  const start = startingRoot(options.root, before, stored, digests, limits);
  let rootDocument = start.document;
  let storedFloorMs: number | undefined;
  const { trusted } = start;
  if (start.remembered) verified = before?.roles ?? {};
  for (;;) {
    const bytes = stored.read(rootName(trusted.store.root.signed.version + 1), limits.rootBytes);
    if (bytes === undefined) break;
    try {
      trusted.root({ bytes });
      rootDocument = { bytes };
      verified = {};
    } catch {
      // Whoever wrote it: the network has the right one.
      break;
    }
  }
  const session: Session = {
    trusted,
    stored,
    limits,
    storedDocument: (role, limitBytes) => {
      const bytes = read.get(role) ?? stored.read(fileName(role), limitBytes);
      if (bytes === undefined) return undefined;
      read.set(role, bytes);
      const sha256 = digests.get(fileName(role)) ?? digest(bytes);
      return { bytes, sha256, remembered: verified[role] === sha256 };
    },
    accepted: (role, document) => {
      roles[role] = document.sha256 ?? digest(document.bytes);
    },
    rootChanged: (document) => {
      rootDocument = document;
      verified = {};
      storedFloorMs = undefined;
    },
    floorMs: () => {
      const { root, targets } = trusted.store;
      const current =
        targets === undefined ? (storedFloorMs ??= storedTargetsMs()) : signedAtMs(targets.signed);
      return Math.max(options.buildTimeMs, signedAtMs(root.signed), current);
    },
    remember: () => {
      const root = {
        version: trusted.store.root.signed.version,
        sha256: rootDocument.sha256 ?? digest(rootDocument.bytes),
      };
      if (before?.root.sha256 === root.sha256 && sameRoles(before.roles, roles)) return;
      writeVerified(system, options.memory, { root, roles });
    },
  };
  return session;

  /** Stored targets raise the floor whatever timestamp and snapshot say, as long as the root's keys signed them. */
  function storedTargetsMs(): number {
    const document = session.storedDocument('targets', limits.targetsBytes);
    if (document?.sha256 === undefined) return 0;
    try {
      const json = JSON.parse(system.decode(document.bytes)) as { signed: Record<string, unknown> };
      if (document.remembered !== true) {
        trusted.store.root.verifyDelegate('targets', Metadata.fromJSON(MetadataKind.Targets, json as never));
        verified = { ...verified, targets: document.sha256 };
      }
      return signedAtMs(json.signed);
    } catch {
      return 0;
    }
  }
}

/** Name of a role's document in the directory: no role's name can leave it. */
export function fileName(role: string): string {
  return `${encodeURIComponent(role)}.json`;
}

export function rootName(version: number): string {
  return `${ROOTS}/${version}.root.json`;
}

export function digest(bytes: Uint8Array): string {
  return bytesToHex(sha256(bytes));
}

/** The stored root that was verified since the machine started, if it still is what it was; else the image's. */
function startingRoot(
  image: Uint8Array,
  before: VerifiedDocuments | undefined,
  stored: StoredDocuments,
  digests: ReadonlyMap<string, string>,
  limits: MetadataLimits,
): { trusted: TrustedDocuments; document: Document; remembered: boolean } {
  if (before !== undefined && digests.get(rootName(before.root.version)) === before.root.sha256) {
    const bytes = stored.read(rootName(before.root.version), limits.rootBytes);
    if (bytes !== undefined) {
      const document = { bytes, sha256: before.root.sha256, remembered: true };
      return { trusted: trustRoot(document), document, remembered: true };
    }
  }
  try {
    const document =
      before?.root.sha256 === undefined || digest(image) !== before.root.sha256
        ? { bytes: image }
        : { bytes: image, sha256: before.root.sha256, remembered: true };
    return { trusted: trustRoot(document), document, remembered: document.remembered === true };
  } catch (error) {
    throw describeFault('the root in the image', error);
  }
}

function sameRoles(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}
