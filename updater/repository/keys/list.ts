/** What lies in `KEYS/tuf`, without opening a private key. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { rolloutRole } from '../../release/tuf-roles.ts';
import { readTufFile, TOP_LEVEL_ROLES, tufKeyPath, type TufRole } from './directory.ts';
import { loadTufKeys } from './load.ts';

export interface ListedTufKey {
  readonly role: TufRole;
  readonly keyId: string;
  readonly purpose: string;
  /** So many of the role's keys must sign. */
  readonly threshold: number;
  readonly keysOfRole: number;
  /** Where its private half is: in a file, in an encrypted file, with a program, or not here. */
  readonly privateKey: 'file' | 'encrypted file' | 'command' | 'absent';
}

export interface TufKeyList {
  readonly root: { readonly version: number; /** ISO 8601. */ readonly expires: string };
  readonly keys: readonly ListedTufKey[];
}

const PURPOSE: Record<string, string> = {
  root: 'says which keys the others are',
  targets: 'signs releases and their fastest curve',
  snapshot: 'online: says which documents belong together',
  timestamp: 'online: says that this is still the newest',
};

/** Refuses private keys that others may read, as `loadTufKeys` does. */
export async function listTufKeys(keysDirectory: string): Promise<TufKeyList> {
  const keys = await loadTufKeys(keysDirectory);
  const { signers } = await readTufFile(keysDirectory);
  const roles: TufRole[] = [
    ...TOP_LEVEL_ROLES,
    ...Object.keys(keys.channels).map((channel) => rolloutRole(channel) as TufRole),
  ];
  const listed: ListedTufKey[] = [];
  for (const role of roles) {
    const roleKeys = keys.role(role);
    for (const keyId of Object.keys(roleKeys?.keys ?? {})) {
      listed.push({
        role,
        keyId,
        purpose: PURPOSE[role] ?? 'online: may hold back releases of its channel, nothing else',
        threshold: roleKeys?.threshold ?? 0,
        keysOfRole: Object.keys(roleKeys?.keys ?? {}).length,
        privateKey:
          signers[keyId] === undefined
            ? await privateKeyKind(tufKeyPath(keysDirectory, role, keyId))
            : 'command',
      });
    }
  }
  return { root: { version: keys.root.version, expires: keys.root.expires.toISOString() }, keys: listed };
}

async function privateKeyKind(path: string): Promise<ListedTufKey['privateKey']> {
  if (!existsSync(path)) return 'absent';
  return (await readFile(path, 'utf8')).includes('BEGIN ENCRYPTED') ? 'encrypted file' : 'file';
}
