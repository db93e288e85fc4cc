/** Adds to a keys directory what signs updates: TUF keys, their first root, and a role for each channel. What is there stays as it is. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, temporaryName, writeFileAtomic } from '../../../builder/cache/directory.ts';
import type { PassphraseSource } from '../../../builder/keys/passphrase.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { isChannelName, rolloutRole } from '../../release/tuf-roles.ts';
import { signRoot, type RootContent } from '../tuf/root.ts';
import {
  embeddedRootPath,
  readTufFile,
  rootPath,
  TOP_LEVEL_ROLES,
  tufDirectory,
  writeTufFile,
  type RoleKeys,
  type TopLevelRole,
  type TufFile,
  type TufRole,
} from './directory.ts';
import type { TufSigner } from './key.ts';
import { makeKey } from './make.ts';

export interface TufInitOptions {
  /** Asked when something is to be made; encrypts every private key that is. */
  readonly passphrase?: PassphraseSource;
  /** How many keys root and targets have, and how many of them must sign. One unless told; the online roles have one. */
  readonly root?: KeyCount;
  readonly targets?: KeyCount;
  /** Default `stable`. */
  readonly channels?: readonly string[];
  readonly rootDays?: number;
  readonly now?: Date;
}

export interface KeyCount {
  readonly keys: number;
  readonly threshold: number;
}

/** Three years: renewed at leisure once a year, it never comes near; a machine that slept longer walks on from it all the same (TUF 5.3.10). */
export const ROOT_DAYS = 3 * 365;
const DAY_MS = 86_400_000;
const ONE: KeyCount = { keys: 1, threshold: 1 };

/** What was made: `tuf` when there was nothing yet, and channels that were missing. */
export async function initTufKeys(
  keysDirectory: string,
  options: TufInitOptions = {},
): Promise<{ readonly made: 'all' | 'channels' | 'nothing'; readonly channels: readonly string[] }> {
  const channels = options.channels ?? ['stable'];
  const wrong = channels.find((channel) => !isChannelName(channel));
  if (wrong !== undefined) {
    throw new SlipwayError('usage.channel', `${wrong} cannot be the name of a channel`, {
      hint: 'it has 1 to 32 of a-z, 0-9 and -, and neither begins nor ends with -',
    });
  }
  for (const role of ['root', 'targets'] as const) checkCount(role, options[role] ?? ONE);
  if (!existsSync(tufDirectory(keysDirectory))) {
    await makeAll(keysDirectory, channels, await options.passphrase?.(), options);
    return { made: 'all', channels };
  }
  const file = await readTufFile(keysDirectory);
  const missing = channels.filter((channel) => file.channels[channel] === undefined);
  if (missing.length === 0) return { made: 'nothing', channels: [] };
  const added = await makeChannels(keysDirectory, missing, await options.passphrase?.());
  await writeTufFile(keysDirectory, { ...file, channels: { ...file.channels, ...added } });
  return { made: 'channels', channels: missing };
}

/** In a directory of its own, which then takes its name: all or nothing. */
async function makeAll(
  keysDirectory: string,
  channels: readonly string[],
  passphrase: string | undefined,
  options: TufInitOptions,
): Promise<void> {
  const now = options.now ?? new Date();
  const workplace = temporaryName(join(keysDirectory, 'tuf'));
  await mkdir(tufDirectory(workplace), { recursive: true, mode: 0o700 });
  try {
    const counts: Record<TopLevelRole, KeyCount> = {
      root: options.root ?? ONE,
      targets: options.targets ?? ONE,
      snapshot: ONE,
      timestamp: ONE,
    };
    // Side by side: with a passphrase each key takes its time.
    const made = await Promise.all(
      TOP_LEVEL_ROLES.map(async (role) => ({
        role,
        ...(await makeRole(workplace, role, counts[role], passphrase)),
      })),
    );
    const rootSigners = made.filter(({ role }) => role === 'root').flatMap(({ signers }) => signers);
    const roles = made.map(({ role, roleKeys }): [TopLevelRole, RoleKeys] => [role, roleKeys]);
    const content: RootContent = {
      version: 1,
      expires: new Date(now.getTime() + (options.rootDays ?? ROOT_DAYS) * DAY_MS),
      roles: Object.fromEntries(roles) as RootContent['roles'],
    };
    const bytes = await signRoot(content, { signedAt: now, signers: rootSigners });
    await writeFileAtomic(rootPath(workplace, 1), bytes);
    await writeFileAtomic(embeddedRootPath(workplace), bytes);
    const file: TufFile = {
      format: '1.0',
      channels: await makeChannels(workplace, channels, passphrase),
      signers: {},
    };
    await writeTufFile(workplace, file);
    await publish(tufDirectory(workplace), tufDirectory(keysDirectory));
  } finally {
    await rm(workplace, { recursive: true, force: true });
  }
}

async function makeChannels(
  keysDirectory: string,
  channels: readonly string[],
  passphrase: string | undefined,
): Promise<TufFile['channels']> {
  const made: [string, TufFile['channels'][string]][] = [];
  for (const channel of channels) {
    const role = rolloutRole(channel) as TufRole;
    const { roleKeys } = await makeRole(keysDirectory, role, ONE, passphrase);
    made.push([channel, { threshold: roleKeys.threshold, keys: { ...roleKeys.keys } }]);
  }
  return Object.fromEntries(made);
}

async function makeRole(
  keysDirectory: string,
  role: TufRole,
  count: KeyCount,
  passphrase: string | undefined,
): Promise<{ roleKeys: RoleKeys; signers: TufSigner[] }> {
  const made = await Promise.all(
    Array.from({ length: count.keys }, () => makeKey(keysDirectory, role, passphrase)),
  );
  return {
    roleKeys: {
      threshold: count.threshold,
      keys: Object.fromEntries(made.map(({ keyId, key }) => [keyId, key])),
    },
    signers: made.map(({ signer }) => signer),
  };
}

function checkCount(role: TopLevelRole, { keys, threshold }: KeyCount): void {
  if (
    Number.isInteger(keys) &&
    Number.isInteger(threshold) &&
    threshold >= 1 &&
    threshold <= keys &&
    keys <= 16
  )
    return;
  throw new SlipwayError(
    'usage.threshold',
    `${role} cannot have ${keys} keys of which ${threshold} must sign`,
    {
      hint: 'at least 1 must sign, not more than there are, and there are at most 16',
    },
  );
}
