/** TUF documents other than root, signed: `{"signatures": [...], "signed": {...}}`. What is signed is the canonical form (OLPC canonical JSON). */
import { canonicalize } from '@tufjs/canonical-json';
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../../spec/error.ts';
import type { Brake } from '../../release/document.ts';
import { CUSTOM, rolloutRole, rolloutTarget, SIGNED_AT, TUF_SPECIFICATION } from '../../release/tuf-roles.ts';
import type { RoleKeys } from '../keys/directory.ts';
import type { TufSigner } from '../keys/key.ts';

/** The part that is signed; each kind has fields of its own. */
export interface SignedBody {
  readonly _type: 'root' | 'targets' | 'snapshot' | 'timestamp';
  readonly spec_version: string;
  readonly version: number;
  readonly expires: string;
  readonly [field: string]: unknown;
}

export interface BodyOptions {
  readonly version: number;
  readonly expires: Date;
}

/** A file that the next document vouches for. */
export interface MetaFile {
  readonly version: number;
  readonly length: number;
  readonly hashes: { readonly sha256: string };
}

/** A target: its length, digest, and what `custom.slipway` says of it. */
export interface TargetEntry {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly custom?: unknown;
}

/** Signs with every key of `signers`; none may be missing twice. Returns the file's bytes. */
export async function signMetadata(body: SignedBody, signers: readonly TufSigner[]): Promise<Uint8Array> {
  refuseFractions(body, body._type);
  const message = Buffer.from(canonicalize(body));
  const unique = [...new Map(signers.map((signer) => [signer.keyId, signer])).values()];
  if (unique.length === 0) throw new SlipwayError('keys.no-signer', `nobody signs ${body._type}`);
  const signatures = [];
  for (const signer of unique) {
    const signature = await signer.sign(message);
    signatures.push({ keyid: signer.keyId, sig: Buffer.from(signature).toString('hex') });
  }
  // Not the canonical form: that leaves line breaks in strings as they are, and then is no JSON.
  return Buffer.from(JSON.stringify({ signatures, signed: body }));
}

/** Canonical JSON knows integers alone: what is a fraction elsewhere stands in signed documents as parts per million. */
function refuseFractions(value: unknown, path: string): void {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new SlipwayError(
      'metadata.fraction',
      `${path} is ${value}, and signed documents hold integers alone`,
      {
        hint: 'write a fraction in parts per million',
      },
    );
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, child] of Object.entries(value)) refuseFractions(child, `${path}.${name}`);
}

/** targets.json: the releases, and for each channel the role that may hold it back. `signedAt` raises the clock floor of machines. */
export function targetsBody(
  options: BodyOptions & {
    readonly signedAt: Date;
    readonly targets: Readonly<Record<string, TargetEntry>>;
    readonly channels: Readonly<Record<string, RoleKeys>>;
  },
): SignedBody {
  const channels = Object.entries(options.channels);
  return {
    ...common('targets', options),
    [SIGNED_AT]: isoSeconds(options.signedAt),
    targets: Object.fromEntries(
      Object.entries(options.targets).map(([name, target]) => [name, targetFile(target)]),
    ),
    delegations: {
      keys: Object.fromEntries(channels.flatMap(([, { keys }]) => Object.entries(keys))),
      roles: channels.map(([channel, { keys, threshold }]) => ({
        name: rolloutRole(channel),
        keyids: Object.keys(keys),
        threshold,
        terminating: true,
        paths: [rolloutTarget(channel)],
      })),
    },
  };
}

/** rollout-<channel>.json: one target, whose values stand in its `custom`; no file stands behind it, so its digest is that of nothing. */
export function rolloutBody(channel: string, brake: Brake, options: BodyOptions): SignedBody {
  return {
    ...common('targets', options),
    targets: {
      [rolloutTarget(channel)]: targetFile({
        sizeBytes: 0,
        sha256: createHash('sha256').digest('hex'),
        custom: brake,
      }),
    },
  };
}

/** snapshot.json: the versions of `targets.json` and of each `rollout-<channel>.json`, by file name. */
export function snapshotBody(
  options: BodyOptions & { readonly files: Readonly<Record<string, MetaFile>> },
): SignedBody {
  return { ...common('snapshot', options), meta: options.files };
}

export function timestampBody(options: BodyOptions & { readonly snapshot: MetaFile }): SignedBody {
  return { ...common('timestamp', options), meta: { 'snapshot.json': options.snapshot } };
}

/** How a document is named in the one above it. */
export function metaFile(version: number, bytes: Uint8Array): MetaFile {
  return {
    version,
    length: bytes.length,
    hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
  };
}

/** TUF 4.2.1: ISO 8601, UTC, whole seconds. */
export function isoSeconds(date: Date): string {
  return date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

function common(
  type: SignedBody['_type'],
  { version, expires }: BodyOptions,
): Pick<SignedBody, '_type' | 'spec_version' | 'version' | 'expires'> {
  return { _type: type, spec_version: TUF_SPECIFICATION, version, expires: isoSeconds(expires) };
}

function targetFile({ sizeBytes, sha256, custom }: TargetEntry): Record<string, unknown> {
  return {
    length: sizeBytes,
    hashes: { sha256 },
    ...(custom === undefined ? {} : { custom: { [CUSTOM]: custom } }),
  };
}
