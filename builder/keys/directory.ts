/** What lies where in a keys directory, and `keys.json`, which says how its keys sign. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SlipwayError } from '../../spec/error.ts';

/** `release` is for production machines. `debug` is a world of its own: machines that enrol one never run images of the other. */
export type KeySetName = 'release' | 'debug';
export const KEY_SETS: readonly KeySetName[] = ['release', 'debug'];

/** Platform key, key exchange key, the CA that `db` holds, and the leaf that signs images. */
export type KeyRole = 'PK' | 'KEK' | 'db' | 'leaf';
export const KEY_ROLES: readonly KeyRole[] = ['PK', 'KEK', 'db', 'leaf'];
export const ENROLLED_ROLES = ['PK', 'KEK', 'db'] as const;

export type KeyFile = 'key' | 'crt' | 'esl' | 'auth';

const CommandSigner = z.strictObject({
  /** argv; the 32 bytes of the digest on stdin, the raw signature expected on stdout. */
  command: z.array(z.string()).min(1),
  /** Names of the variables that it is given besides PATH and HOME. */
  environment: z.array(z.string()).default([]),
  timeoutSeconds: z.number().positive().default(120),
});

const KeysFile = z.strictObject({
  format: z.literal('1.0'),
  /** GUID that stands beside each certificate in the firmware. */
  owner: z.uuid(),
  created: z.iso.datetime(),
  /** Signers that are programs, for those keys whose private half is not here. */
  signers: z
    .strictObject({
      release: CommandSigner.optional(),
      debug: CommandSigner.optional(),
      /** Signs PCR 11, for state partitions that a TPM opens (builder/pcr/). */
      pcr: CommandSigner.optional(),
    })
    .default({}),
});

export type CommandSigner = Readonly<z.infer<typeof CommandSigner>>;
export type KeysFile = Readonly<z.infer<typeof KeysFile>>;

/** `DIR/PK.key`, `DIR/debug/leaf.crt`, ... */
export function keyPath(directory: string, set: KeySetName, role: KeyRole, file: KeyFile): string {
  return join(directory, ...(set === 'release' ? [] : [set]), `${role}.${file}`);
}

export function keysFilePath(directory: string): string {
  return join(directory, 'keys.json');
}

export async function readKeysFile(directory: string): Promise<KeysFile> {
  const path = keysFilePath(directory);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SlipwayError('keys.missing', `there are no keys in ${directory}`, {
      cause,
      hint: `make some: slipway keys init ${directory}`,
    });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SlipwayError('keys.invalid', `${path} is not JSON`, { cause });
  }
  const parsed = KeysFile.safeParse(json);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new SlipwayError('keys.invalid', `${path}: ${faults.join('; ')}`);
}
