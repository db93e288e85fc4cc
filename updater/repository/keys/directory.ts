/**
 * What lies where in `KEYS/tuf`, and `tuf.json`, which says what no TUF document does: which keys sign by a program, and the channels.
 *
 * ```
 * tuf/1.root.json, 2.root.json, ...   every version of root; the newest says which keys root, targets, snapshot and timestamp have
 * tuf/root.json                       the newest, which images carry
 * tuf/<role>-<16 digits>.key          private keys; the digits begin the key's id
 * tuf/retired/                        private keys that are no longer trusted
 * ```
 */
import { readFile, readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../../builder/cache/directory.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { isChannelName } from '../../release/tuf-roles.ts';
import { keyIdOf, type TufKey } from './key.ts';

/** Roles that root.json names. */
export type TopLevelRole = 'root' | 'targets' | 'snapshot' | 'timestamp';
export const TOP_LEVEL_ROLES: readonly TopLevelRole[] = ['root', 'targets', 'snapshot', 'timestamp'];

/** A top-level role, or `rollout-<channel>`. */
export type TufRole = TopLevelRole | `rollout-${string}`;

/** The keys of a role, of which `threshold` must sign. */
export interface RoleKeys {
  readonly threshold: number;
  readonly keys: Readonly<Record<string, TufKey>>;
}

const Key = z.strictObject({
  keytype: z.literal('ed25519'),
  scheme: z.literal('ed25519'),
  keyval: z.strictObject({ public: z.string().regex(/^[0-9a-f]{64}$/) }),
});

const Signer = z.strictObject({
  /** argv; the message on stdin, the raw signature (64 bytes) expected on stdout. */
  command: z.array(z.string()).min(1),
  /** Names of the variables that it is given besides PATH and HOME. */
  environment: z.array(z.string()).default([]),
  timeoutSeconds: z.number().positive().default(120),
});

const TufFile = z.strictObject({
  format: z.literal('1.0'),
  channels: z.record(
    z.string().refine(isChannelName, 'not the name of a channel'),
    z.strictObject({ threshold: z.int().positive(), keys: z.record(z.string(), Key) }),
  ),
  /** By key id: keys whose private half a program holds. */
  signers: z.record(z.string(), Signer).default({}),
});

export type TufFile = z.infer<typeof TufFile>;

export function tufDirectory(keysDirectory: string): string {
  return join(keysDirectory, 'tuf');
}

export function tufFilePath(keysDirectory: string): string {
  return join(tufDirectory(keysDirectory), 'tuf.json');
}

export function tufKeyPath(keysDirectory: string, role: TufRole, keyId: string): string {
  return join(tufDirectory(keysDirectory), `${role}-${keyId.slice(0, 16)}.key`);
}

/** The newest root, public: what images carry. */
export function embeddedRootPath(keysDirectory: string): string {
  return join(tufDirectory(keysDirectory), 'root.json');
}

export function rootPath(keysDirectory: string, version: number): string {
  return join(tufDirectory(keysDirectory), `${version}.root.json`);
}

/** Every version of root, oldest first. */
export async function readRootChain(
  keysDirectory: string,
): Promise<readonly { readonly version: number; readonly bytes: Uint8Array }[]> {
  const directory = tufDirectory(keysDirectory);
  const names = existsSync(directory) ? await readdir(directory) : [];
  const versions = names
    .map((name) => /^([1-9]\d*)\.root\.json$/.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
  if (versions.length === 0) {
    throw new SlipwayError('keys.missing', `there are no keys for updates in ${keysDirectory}`, {
      hint: `add them: slipway keys init ${keysDirectory}`,
    });
  }
  return Promise.all(
    versions.map(async (version) => ({ version, bytes: await readFile(rootPath(keysDirectory, version)) })),
  );
}

export async function readTufFile(keysDirectory: string): Promise<TufFile> {
  const path = tufFilePath(keysDirectory);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SlipwayError('keys.missing', `there are no keys for updates in ${keysDirectory}`, {
      cause,
      hint: `add them: slipway keys init ${keysDirectory}`,
    });
  });
  const faults: string[] = [];
  try {
    const parsed = TufFile.safeParse(JSON.parse(text));
    if (parsed.success) {
      const wrong = Object.values(parsed.data.channels)
        .flatMap(({ keys }) => Object.entries(keys))
        .filter(([keyId, key]) => keyIdOf(key) !== keyId);
      if (wrong.length === 0) return parsed.data;
      faults.push(...wrong.map(([keyId]) => `${keyId} is not the id of its key`));
    } else {
      faults.push(...parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
    }
  } catch (cause) {
    throw new SlipwayError('keys.invalid', `${path} is not JSON`, { cause });
  }
  throw new SlipwayError('keys.invalid', `${path}: ${faults.join('; ')}`);
}

export async function writeTufFile(keysDirectory: string, file: TufFile): Promise<void> {
  await writeFileAtomic(tufFilePath(keysDirectory), `${JSON.stringify(file, undefined, 2)}\n`);
}
