/** root.json: which keys each role has. A new version is signed by the threshold of its own root keys and of the version's before. */
import { z } from 'zod';
import { SlipwayError } from '../../../spec/error.ts';
import { SIGNED_AT, TUF_SPECIFICATION } from '../../release/tuf-roles.ts';
import { TOP_LEVEL_ROLES, type RoleKeys, type TopLevelRole } from '../keys/directory.ts';
import { keyIdOf, verifySignature, type TufKey, type TufSigner } from '../keys/key.ts';
import { canonicalize } from '@tufjs/canonical-json';
import { isoSeconds, signMetadata, type SignedBody } from './metadata.ts';

/** What a root says. */
export interface RootContent {
  readonly version: number;
  readonly expires: Date;
  readonly roles: Readonly<Record<TopLevelRole, RoleKeys>>;
}

const Role = z.object({ keyids: z.array(z.string()).min(1), threshold: z.int().positive() });
const RootFile = z.object({
  signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })),
  signed: z.looseObject({
    _type: z.literal('root'),
    version: z.int().positive(),
    expires: z.iso.datetime(),
    consistent_snapshot: z.literal(true),
    keys: z.record(
      z.string(),
      z.object({
        keytype: z.literal('ed25519'),
        scheme: z.literal('ed25519'),
        keyval: z.object({ public: z.string().regex(/^[0-9a-f]{64}$/) }),
      }),
    ),
    roles: z.object({ root: Role, targets: Role, snapshot: Role, timestamp: Role }),
  }),
});

export function rootBody(content: RootContent, signedAt: Date): SignedBody {
  const roles = TOP_LEVEL_ROLES.map((role) => [role, content.roles[role]] as const);
  return {
    _type: 'root',
    spec_version: TUF_SPECIFICATION,
    version: content.version,
    expires: isoSeconds(content.expires),
    [SIGNED_AT]: isoSeconds(signedAt),
    consistent_snapshot: true,
    keys: Object.fromEntries(roles.flatMap(([, { keys }]) => Object.entries(keys))),
    roles: Object.fromEntries(
      roles.map(([role, { keys, threshold }]) => [role, { keyids: Object.keys(keys), threshold }]),
    ),
  };
}

/**
 * The signed bytes. Throws `keys.below-threshold` when the signatures reach not its own threshold, or not that of `previous`: machines
 * that follow would refuse it, and nothing must be published that they refuse.
 */
export async function signRoot(
  content: RootContent,
  options: {
    readonly signedAt: Date;
    readonly signers: readonly TufSigner[];
    readonly previous?: RootContent;
  },
): Promise<Uint8Array> {
  const bytes = await signMetadata(rootBody(content, options.signedAt), options.signers);
  for (const judge of [content, ...(options.previous === undefined ? [] : [options.previous])]) {
    const { threshold } = judge.roles.root;
    const good = countSignatures(bytes, judge.roles.root);
    if (good >= threshold) continue;
    throw new SlipwayError(
      'keys.below-threshold',
      `version ${content.version} of root has ${good} of the ${threshold} signatures that version ${judge.version} asks for`,
      { hint: 'bring the private keys of more of its root keys, if only for this command' },
    );
  }
  return bytes;
}

/** Reads a root file; does not ask who signed it. */
export function parseRoot(bytes: Uint8Array, name: string): RootContent {
  const { signed } = rootFile(bytes, name);
  const roleKeys = (role: TopLevelRole): RoleKeys => ({
    threshold: signed.roles[role].threshold,
    keys: Object.fromEntries(
      signed.roles[role].keyids.map((keyId) => [keyId, keyOf(signed.keys, keyId, name)]),
    ),
  });
  return {
    version: signed.version,
    expires: new Date(signed.expires),
    roles: {
      root: roleKeys('root'),
      targets: roleKeys('targets'),
      snapshot: roleKeys('snapshot'),
      timestamp: roleKeys('timestamp'),
    },
  };
}

/** How many keys of a role have signed a document. */
export function countSignatures(bytes: Uint8Array, role: RoleKeys): number {
  const file = z
    .object({
      signatures: z.array(z.object({ keyid: z.string(), sig: z.string() })),
      signed: z.looseObject({}),
    })
    .parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  const message = Buffer.from(canonicalize(file.signed));
  const good = file.signatures.filter(({ keyid, sig }) => {
    const key = role.keys[keyid];
    return key !== undefined && verifySignature(key, message, Buffer.from(sig, 'hex'));
  });
  return new Set(good.map(({ keyid }) => keyid)).size;
}

function rootFile(bytes: Uint8Array, name: string): z.infer<typeof RootFile> {
  try {
    return RootFile.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw new SlipwayError('keys.invalid', `${name} is not a root document`, { cause });
  }
}

function keyOf(keys: Readonly<Record<string, TufKey>>, keyId: string, name: string): TufKey {
  const key = keys[keyId];
  if (key !== undefined && keyIdOf(key) === keyId) return key;
  throw new SlipwayError('keys.invalid', `${name} names the key ${keyId}, and does not hold it`);
}
