/** New keys for old: rotation, revocation, and a root that lives longer. Each ends in a new version of root, or in another entry of `tuf.json`. */
import { writeFileAtomic } from '../../../builder/cache/directory.ts';
import type { PassphraseSource } from '../../../builder/keys/passphrase.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { signRoot, type RootContent } from '../tuf/root.ts';
import {
  embeddedRootPath,
  readTufFile,
  rootPath,
  TOP_LEVEL_ROLES,
  writeTufFile,
  type RoleKeys,
  type TopLevelRole,
  type TufRole,
} from './directory.ts';
import { ROOT_DAYS } from './init.ts';
import type { TufKey, TufSigner } from './key.ts';
import { loadTufKeys, type TufKeys } from './load.ts';
import {
  makeKey,
  passphraseLikeOthers,
  retireKey,
  takeExternalKey,
  type ExternalKey,
  type NewKey,
} from './make.ts';

export interface RotateOptions {
  readonly passphrase: PassphraseSource;
  /** Takes the place of the old key; one is made without. */
  readonly external?: ExternalKey;
  /** From now on so many of the role's keys must sign. */
  readonly threshold?: number;
  /** The role has so many keys from now on (new ones are made; `rotateRole` only). */
  readonly keys?: number;
  readonly rootDays?: number;
  readonly now?: Date;
}

export interface RotationResult {
  readonly role: TufRole;
  readonly added: readonly string[];
  readonly retired: readonly string[];
  /** The version of root that says so; none for a channel, which the next targets.json tells. */
  readonly rootVersion?: number;
}

const DAY_MS = 86_400_000;

/** Every key of a role gives way to a new one. */
export async function rotateRole(
  keysDirectory: string,
  role: TufRole,
  options: RotateOptions,
): Promise<RotationResult> {
  const keys = await loadTufKeys(keysDirectory, options);
  const old = keysOf(keys, role);
  return replace(keys, role, Object.keys(old.keys), options.keys ?? Object.keys(old.keys).length, options);
}

/** One key gives way to a new one. `keyId` may be abbreviated. */
export async function rotateKey(
  keysDirectory: string,
  keyId: string,
  options: RotateOptions,
): Promise<RotationResult> {
  return replaceOne(keysDirectory, keyId, 1, options);
}

/** One key is trusted no more, and nothing takes its place; the role must have enough others. */
export async function dropKey(
  keysDirectory: string,
  keyId: string,
  options: RotateOptions,
): Promise<RotationResult> {
  return replaceOne(keysDirectory, keyId, 0, options);
}

/** A channel is no more: the next targets.json delegates nothing to it. */
export async function dropChannel(keysDirectory: string, channel: string): Promise<RotationResult> {
  const role: TufRole = `rollout-${channel}`;
  const retired = Object.keys(keysOf(await loadTufKeys(keysDirectory), role).keys);
  const file = await readTufFile(keysDirectory);
  const channels = Object.fromEntries(Object.entries(file.channels).filter(([name]) => name !== channel));
  await writeTufFile(keysDirectory, { ...file, channels });
  for (const keyId of retired) await retireKey(keysDirectory, role, keyId);
  return { role, added: [], retired };
}

/** The same keys in a new version of root, which expires later. */
export async function renewRoot(keysDirectory: string, options: RotateOptions): Promise<RotationResult> {
  const keys = await loadTufKeys(keysDirectory, options);
  const rootVersion = await writeRoot(keys, keys.root.roles, [], options);
  return { role: 'root', added: [], retired: [], rootVersion };
}

async function replaceOne(
  keysDirectory: string,
  keyId: string,
  by: number,
  options: RotateOptions,
): Promise<RotationResult> {
  const keys = await loadTufKeys(keysDirectory, options);
  const found = findKey(keys, keyId);
  return replace(keys, found.role, [found.keyId], by, options);
}

async function replace(
  keys: TufKeys,
  role: TufRole,
  retired: readonly string[],
  count: number,
  options: RotateOptions,
): Promise<RotationResult> {
  const old = keysOf(keys, role);
  const staying = Object.entries(old.keys).filter(([keyId]) => !retired.includes(keyId));
  const threshold = options.threshold ?? old.threshold;
  if (threshold < 1 || threshold > staying.length + count) {
    throw new SlipwayError(
      'keys.below-threshold',
      `${role} would have ${staying.length + count} keys, of which ${threshold} must sign`,
      { hint: 'leave out --drop, so that a new key takes its place, or give another --threshold' },
    );
  }
  // Before anything is made: what cannot be signed leaves no stray keys behind.
  if (isTopLevel(role)) keys.signers('root');
  const made = await makeKeys(keys.directory, role, count, options);
  const changed: RoleKeys = {
    threshold,
    keys: Object.fromEntries([...staying, ...made.map(({ keyId, key }): [string, TufKey] => [keyId, key])]),
  };
  await writeSigners(keys.directory, made, retired);
  let rootVersion: number | undefined;
  if (isTopLevel(role)) {
    const newRootSigners = role === 'root' ? made.map(({ signer }) => signer) : [];
    rootVersion = await writeRoot(keys, { ...keys.root.roles, [role]: changed }, newRootSigners, options);
  } else {
    const file = await readTufFile(keys.directory);
    const channel = role.replace(/^rollout-/, '');
    const entry = { threshold, keys: { ...changed.keys } };
    await writeTufFile(keys.directory, { ...file, channels: { ...file.channels, [channel]: entry } });
  }
  for (const keyId of retired) await retireKey(keys.directory, role, keyId);
  return {
    role,
    added: made.map(({ keyId }) => keyId),
    retired,
    ...(rootVersion === undefined ? {} : { rootVersion }),
  };
}

/** TUF 6.1: signed by the old root keys and by the new ones. The numbered file is what counts; `root.json` is its copy. */
async function writeRoot(
  keys: TufKeys,
  roles: RootContent['roles'],
  newRootSigners: readonly TufSigner[],
  options: RotateOptions,
): Promise<number> {
  const now = options.now ?? new Date();
  const content: RootContent = {
    version: keys.root.version + 1,
    expires: new Date(now.getTime() + (options.rootDays ?? ROOT_DAYS) * DAY_MS),
    roles,
  };
  const signers = [...keys.signers('root'), ...newRootSigners];
  const bytes = await signRoot(content, { signedAt: now, signers, previous: keys.root });
  await writeFileAtomic(rootPath(keys.directory, content.version), bytes);
  await writeFileAtomic(embeddedRootPath(keys.directory), bytes);
  return content.version;
}

async function makeKeys(
  keysDirectory: string,
  role: TufRole,
  count: number,
  options: RotateOptions,
): Promise<readonly NewKey[]> {
  if (options.external !== undefined) {
    if (count === 1) return [await takeExternalKey(options.external)];
    throw new SlipwayError('usage.signer', `one key that lives elsewhere cannot take the place of ${count}`, {
      hint: 'replace the keys one by one, each by its id',
    });
  }
  const passphrase = count === 0 ? undefined : await passphraseLikeOthers(keysDirectory, options.passphrase);
  const made: NewKey[] = [];
  for (let index = 0; index < count; index++) made.push(await makeKey(keysDirectory, role, passphrase));
  return made;
}

async function writeSigners(
  keysDirectory: string,
  made: readonly NewKey[],
  retired: readonly string[],
): Promise<void> {
  const added = made.flatMap(({ keyId, command }) =>
    command === undefined ? [] : [[keyId, command] as const],
  );
  const file = await readTufFile(keysDirectory);
  if (added.length === 0 && !retired.some((keyId) => file.signers[keyId] !== undefined)) return;
  // Signers of retired keys stay until the new root is written: they may have to sign it.
  await writeTufFile(keysDirectory, { ...file, signers: { ...file.signers, ...Object.fromEntries(added) } });
}

function findKey(keys: TufKeys, abbreviation: string): { role: TufRole; keyId: string } {
  const roles: TufRole[] = [
    ...TOP_LEVEL_ROLES,
    ...Object.keys(keys.channels).map((channel): TufRole => `rollout-${channel}`),
  ];
  const found = roles.flatMap((role) =>
    Object.keys(keys.role(role)?.keys ?? {})
      .filter((keyId) => abbreviation.length >= 6 && keyId.startsWith(abbreviation))
      .map((keyId) => ({ role, keyId })),
  );
  const [only, another] = found;
  if (only !== undefined && another === undefined) return only;
  throw new SlipwayError(
    'keys.no-key',
    `${abbreviation} is the id of ${found.length === 0 ? 'no key' : 'several keys'} in ${keys.directory}`,
    { hint: `slipway keys list ${keys.directory} shows them; at least 6 digits` },
  );
}

function keysOf(keys: TufKeys, role: TufRole): RoleKeys {
  const roleKeys = keys.role(role);
  if (roleKeys !== undefined) return roleKeys;
  throw new SlipwayError('keys.no-role', `${keys.directory} has no keys for ${role}`, {
    hint: `slipway keys list ${keys.directory} shows the roles`,
  });
}

function isTopLevel(role: TufRole): role is TopLevelRole {
  return TOP_LEVEL_ROLES.some((candidate) => candidate === role);
}
