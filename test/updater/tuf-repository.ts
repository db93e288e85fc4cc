/** A TUF repository in memory, signed as Slipway signs, which tests can make honest or hostile. */
import {
  generateTufKey,
  keyIdOf,
  signWithKey,
  type TufKey,
  type TufSigner,
} from '../../updater/repository/keys/key.ts';
import type { RoleKeys, TopLevelRole } from '../../updater/repository/keys/directory.ts';
import type { Brake } from '../../updater/release/document.ts';
import {
  metaFile,
  rolloutBody,
  signMetadata,
  snapshotBody,
  targetsBody,
  timestampBody,
  type SignedBody,
  type TargetEntry,
} from '../../updater/repository/tuf/metadata.ts';
import { rootBody } from '../../updater/repository/tuf/root.ts';

export const DAY_MS = 86_400_000;
/** When the tests' repositories are signed, unless told. */
export const EPOCH_MS = Date.parse('2026-03-01T00:00:00Z');

export interface Role {
  readonly threshold: number;
  readonly signers: readonly TufSigner[];
}

export interface TestRepository {
  /** What mirrors serve, by name. */
  readonly files: Map<string, Uint8Array>;
  /** What was asked for, in order. */
  readonly requests: string[];
  /** Mutable: what the next `publish` writes. */
  nowMs: number;
  roles: Record<TopLevelRole, Role>;
  channels: Record<string, Role>;
  targets: Record<string, TargetEntry>;
  brakes: Record<string, Brake>;
  versions: Record<string, number>;
  days: Record<string, number>;
  /** Signs the next root, which the old one's keys must sign too; returns its bytes. */
  rotateRoot(change?: Partial<Record<TopLevelRole, Role>>): Promise<Uint8Array>;
  /** New versions of all that follows from root. */
  publish(): Promise<void>;
  /** A new timestamp alone. */
  refresh(): Promise<void>;
  /** Signs whatever is given, as whoever is given, and serves it under that name. */
  put(name: string, body: SignedBody, signers: readonly TufSigner[]): Promise<Uint8Array>;
  readonly fetch: (name: string, limitBytes: number) => Promise<Uint8Array | 'missing'>;
  readonly root: () => Uint8Array;
}

const NO_BRAKE: Brake = { format: '1.0', releases: {} };

export async function makeRole(keys = 1, threshold = keys): Promise<Role> {
  return { threshold, signers: await Promise.all(Array.from({ length: keys }, makeSigner)) };
}

export async function makeRepository(
  options: { nowMs?: number; channels?: readonly string[] } = {},
): Promise<TestRepository> {
  const channels: Record<string, Role> = {};
  for (const channel of options.channels ?? ['stable']) channels[channel] = await makeRole();
  const files = new Map<string, Uint8Array>();
  const requests: string[] = [];
  const repository: TestRepository = {
    files,
    requests,
    nowMs: options.nowMs ?? EPOCH_MS,
    roles: {
      root: await makeRole(3, 2),
      targets: await makeRole(2),
      snapshot: await makeRole(),
      timestamp: await makeRole(),
    },
    channels,
    targets: {},
    brakes: {},
    versions: {},
    days: { root: 1000, targets: 400, snapshot: 30, timestamp: 7, rollout: 14 },
    rotateRoot: async (change = {}) => {
      const old = repository.roles.root.signers;
      repository.roles = { ...repository.roles, ...change };
      const version = bump('root');
      const roleKeys = Object.entries(repository.roles).map(([name, role]) => [name, keysOf(role)]);
      const body = rootBody(
        { version, expires: expires('root'), roles: Object.fromEntries(roleKeys) as never },
        new Date(repository.nowMs),
      );
      return repository.put(`${version}.root.json`, body, [...old, ...repository.roles.root.signers]);
    },
    publish: async () => {
      const meta: Record<string, ReturnType<typeof metaFile>> = {};
      for (const [channel, role] of Object.entries(repository.channels)) {
        const version = bump(`rollout-${channel}`);
        const body = rolloutBody(channel, repository.brakes[channel] ?? NO_BRAKE, {
          version,
          expires: expires('rollout'),
        });
        const bytes = await repository.put(`${version}.rollout-${channel}.json`, body, role.signers);
        meta[`rollout-${channel}.json`] = metaFile(version, bytes);
      }
      const version = bump('targets');
      const targets = targetsBody({
        version,
        expires: expires('targets'),
        signedAt: new Date(repository.nowMs),
        targets: repository.targets,
        channels: Object.fromEntries(
          Object.entries(repository.channels).map(([name, role]) => [name, keysOf(role)]),
        ),
      });
      const bytes = await repository.put(
        `${version}.targets.json`,
        targets,
        repository.roles.targets.signers,
      );
      meta['targets.json'] = metaFile(version, bytes);
      const snapshot = bump('snapshot');
      await repository.put(
        `${snapshot}.snapshot.json`,
        snapshotBody({ version: snapshot, expires: expires('snapshot'), files: meta }),
        repository.roles.snapshot.signers,
      );
      await repository.refresh();
    },
    refresh: async () => {
      const snapshot = repository.versions['snapshot'] ?? 0;
      const bytes = files.get(`${snapshot}.snapshot.json`) ?? new Uint8Array();
      await repository.put(
        'timestamp.json',
        timestampBody({
          version: bump('timestamp'),
          expires: expires('timestamp'),
          snapshot: metaFile(snapshot, bytes),
        }),
        repository.roles.timestamp.signers,
      );
    },
    put: async (name, body, signers) => {
      const bytes = Uint8Array.from(await signMetadata(body, signers));
      files.set(name, bytes);
      return bytes;
    },
    fetch: (name, limitBytes) => {
      requests.push(name);
      const bytes = files.get(name);
      if (bytes !== undefined && bytes.length > limitBytes)
        return Promise.reject(new Error(`${name} is too large`));
      return Promise.resolve(bytes ?? 'missing');
    },
    root: () => files.get(`${repository.versions['root'] ?? 0}.root.json`) ?? new Uint8Array(),
  };
  await repository.rotateRoot();
  await repository.publish();
  return repository;

  function bump(name: string): number {
    repository.versions[name] = (repository.versions[name] ?? 0) + 1;
    return repository.versions[name];
  }

  function expires(name: string): Date {
    return new Date(repository.nowMs + (repository.days[name] ?? 0) * DAY_MS);
  }
}

export function keysOf(role: Role): RoleKeys {
  return {
    threshold: role.threshold,
    keys: Object.fromEntries(role.signers.map(({ keyId, key }): [string, TufKey] => [keyId, key])),
  };
}

async function makeSigner(): Promise<TufSigner> {
  const { key, privateKey } = await generateTufKey();
  return { key, keyId: keyIdOf(key), sign: (message) => Promise.resolve(signWithKey(privateKey, message)) };
}
