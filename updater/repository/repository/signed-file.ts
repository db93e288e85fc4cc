/** Signed documents of a repository, read back: nothing is signed anew that was not ours before, whoever may write to the directory. */
import { z } from 'zod';
import { SlipwayError } from '../../../spec/error.ts';
import { CUSTOM } from '../../release/tuf-roles.ts';
import type { RoleKeys } from '../keys/directory.ts';
import type { MetaFile, TargetEntry } from '../tuf/metadata.ts';
import { countSignatures } from '../tuf/root.ts';

export interface SignedFile {
  readonly version: number;
  readonly expires: Date;
  readonly bytes: Uint8Array;
}

export interface TargetsFile extends SignedFile {
  readonly targets: ReadonlyMap<string, TargetEntry>;
  /** By channel: the keys of the role that may hold it back. */
  readonly channels: Readonly<Record<string, RoleKeys>>;
}

export interface MetaListFile extends SignedFile {
  readonly meta: Readonly<Record<string, MetaFile>>;
}

const Common = { version: z.int().positive(), expires: z.iso.datetime() };
const Meta = z.object({
  version: z.int().positive(),
  length: z.int().positive(),
  hashes: z.object({ sha256: z.string() }),
});
const Key = z.object({
  keytype: z.literal('ed25519'),
  scheme: z.literal('ed25519'),
  keyval: z.object({ public: z.string() }),
});
const Targets = z.object({
  _type: z.literal('targets'),
  ...Common,
  targets: z.record(
    z.string(),
    z.object({
      length: z.int().min(0),
      hashes: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
      custom: z.looseObject({ [CUSTOM]: z.unknown() }).optional(),
    }),
  ),
  delegations: z
    .object({
      keys: z.record(z.string(), Key),
      roles: z.array(
        z.object({ name: z.string(), keyids: z.array(z.string()), threshold: z.int().positive() }),
      ),
    })
    .optional(),
});
const MetaList = z.object({
  _type: z.enum(['snapshot', 'timestamp']),
  ...Common,
  meta: z.record(z.string(), Meta),
});

/** Whether enough of these keys have signed it. */
export function isSignedBy(bytes: Uint8Array, keys: RoleKeys): boolean {
  try {
    return countSignatures(bytes, keys) >= keys.threshold;
  } catch {
    return false;
  }
}

export function parseTargets(bytes: Uint8Array, name: string): TargetsFile {
  const body = parse(bytes, name, Targets);
  const { keys, roles } = body.delegations ?? { keys: {}, roles: [] };
  const channels = roles
    .filter((role) => role.name.startsWith('rollout-'))
    .map(({ name: role, keyids, threshold }) => [
      role.slice('rollout-'.length),
      {
        threshold,
        keys: Object.fromEntries(
          keyids.flatMap((id) => (keys[id] === undefined ? [] : [[id, keys[id]] as const])),
        ),
      },
    ]);
  return {
    ...common(body, bytes),
    targets: new Map(
      Object.entries(body.targets).map(([target, { length, hashes, custom }]) => [
        target,
        {
          sizeBytes: length,
          sha256: hashes.sha256,
          ...(custom === undefined ? {} : { custom: custom[CUSTOM] }),
        },
      ]),
    ),
    channels: Object.fromEntries(channels) as TargetsFile['channels'],
  };
}

export function parseMetaList(bytes: Uint8Array, name: string): MetaListFile {
  const body = parse(bytes, name, MetaList);
  return { ...common(body, bytes), meta: body.meta };
}

function common(body: { readonly version: number; readonly expires: string }, bytes: Uint8Array): SignedFile {
  return { version: body.version, expires: new Date(body.expires), bytes };
}

function parse<T>(bytes: Uint8Array, name: string, schema: z.ZodType<T>): T {
  try {
    const file = z.object({ signed: z.unknown() }).parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    return schema.parse(file.signed);
  } catch (cause) {
    throw new SlipwayError('repository.invalid', `${name} is not what it should be`, {
      cause,
      hint: 'restore it from a copy of the repository, or publish into a new directory',
    });
  }
}
