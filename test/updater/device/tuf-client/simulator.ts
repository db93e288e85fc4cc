/** A TUF repository for the client's conformance tests, after the simulator of the tuf-conformance project: ECDSA unless told, every version kept. */
import { canonicalize } from '@tufjs/canonical-json';
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

export type KeyType = 'ecdsa-p256' | 'ecdsa-p384' | 'ed25519' | 'rsa';

export interface Signer {
  readonly keyid: string;
  readonly key: Readonly<Record<string, unknown>>;
  readonly sign: (message: Buffer) => Buffer;
}

interface Role {
  keyids: string[];
  threshold: number;
  [field: string]: unknown;
}

interface DelegatedRole extends Role {
  name: string;
  terminating: boolean;
  paths: string[];
}

export interface Body {
  _type: string;
  spec_version: string;
  version: number;
  expires: string;
  keys: Record<string, Record<string, unknown>>;
  roles: Record<string, Role>;
  meta: Record<string, { version: number; length?: number; hashes?: Record<string, string> }>;
  targets: Record<string, { length: number; hashes: Record<string, string> }>;
  delegations?: { keys: Record<string, Record<string, unknown>>; roles: DelegatedRole[] };
  [field: string]: unknown;
}

/** One `GET` that was made: role and version, or target and digest. */
export type Request = readonly [name: string, version: number | string | undefined];

export interface Simulator {
  readonly bodies: Record<string, Body>;
  readonly signers: Record<string, Signer[]>;
  readonly published: Record<string, Buffer[]>;
  readonly artifacts: Record<string, Buffer>;
  readonly metadataRequests: Request[];
  readonly artifactRequests: Request[];
  /** Snapshot and timestamp name length and digest too. */
  hashes: boolean;
  publish(roles: readonly string[], bump?: 'bump' | 'as-is'): void;
  addKey(role: string, signer: Signer): void;
  rotateKeys(role: string): void;
  addArtifact(role: string, content: string, path: string): void;
  delegate(delegator: string, role: Partial<DelegatedRole> & { name: string }, expires?: Date): void;
  /** `metadata/...` or `targets/...`; `undefined`: 404. */
  serve(path: string): Buffer | undefined;
}

const TOP_LEVEL = ['targets', 'snapshot', 'timestamp', 'root'];
const pool: Partial<Record<KeyType, Signer[]>> = {};

export function day(offset: number): Date {
  return new Date(Date.now() + offset * 86_400_000);
}

export function iso(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

export function createSimulator(): Simulator {
  const used: Partial<Record<KeyType, number>> = {};
  const body = (type: string, fields: Partial<Body> = {}): Body =>
    ({ _type: type, spec_version: '1.0.31', version: 1, expires: iso(day(30)), ...fields }) as Body;
  const bodies: Record<string, Body> = {
    targets: body('targets', { targets: {} }),
    snapshot: body('snapshot', { meta: {} }),
    timestamp: body('timestamp', { meta: {} }),
    root: body('root', { consistent_snapshot: true, keys: {}, roles: {} }),
  };
  const simulator: Simulator = {
    bodies,
    signers: {},
    published: {},
    artifacts: {},
    metadataRequests: [],
    artifactRequests: [],
    hashes: false,
    addKey: (role, signer) => {
      const holder = TOP_LEVEL.includes(role)
        ? { keys: bodies['root']!.keys, role: (bodies['root']!.roles[role] ??= { keyids: [], threshold: 1 }) }
        : delegationOf(role);
      holder.keys[signer.keyid] = { ...signer.key };
      if (!holder.role.keyids.includes(signer.keyid)) holder.role.keyids.push(signer.keyid);
      (simulator.signers[role] ??= []).push(signer);
    },
    rotateKeys: (role) => {
      bodies['root']!.roles[role]!.keyids = [];
      simulator.signers[role] = [];
      for (let count = 0; count < bodies['root']!.roles[role]!.threshold; count++)
        simulator.addKey(role, newSigner('ecdsa-p256', used));
    },
    publish: (roles, bump = 'bump') => {
      for (const role of roles) {
        const signed = bodies[role]!;
        const versions = (simulator.published[role] ??= []);
        if (versions.length > 0 && bump === 'bump') signed.version++;
        const message = Buffer.from(canonicalize(signed));
        const signatures = (simulator.signers[role] ?? []).map(({ keyid, sign: signWith }) => ({
          keyid,
          sig: signWith(message).toString('hex'),
        }));
        const bytes = Buffer.from(JSON.stringify({ signatures, signed }, undefined, 1));
        versions.push(bytes);
        const digest = createHash('sha256').update(bytes).digest('hex');
        const meta = {
          version: signed.version,
          ...(simulator.hashes ? { length: bytes.length, hashes: { sha256: digest } } : {}),
        };
        if (role === 'snapshot') bodies['timestamp']!.meta['snapshot.json'] = meta;
        else if (role !== 'root' && role !== 'timestamp') bodies['snapshot']!.meta[`${role}.json`] = meta;
      }
    },
    addArtifact: (role, content, path) => {
      const data = Buffer.from(content);
      simulator.artifacts[path] = data;
      bodies[role]!.targets[path] = {
        length: data.length,
        hashes: { sha256: createHash('sha256').update(data).digest('hex') },
      };
    },
    delegate: (delegator, role, expires = day(30)) => {
      const holder = (bodies[delegator]!.delegations ??= { keys: {}, roles: [] });
      const delegated = { keyids: [], threshold: 1, terminating: false, paths: ['*'], ...role };
      holder.roles.push(delegated);
      bodies[role.name] ??= body('targets', { targets: {}, expires: iso(expires) });
      const signer = newSigner('ecdsa-p256', used);
      holder.keys[signer.keyid] = { ...signer.key };
      delegated.keyids.push(signer.keyid);
      (simulator.signers[role.name] ??= []).push(signer);
    },
    serve: (path) => {
      const [folder, ...rest] = path.split('/');
      return folder === 'metadata' ? metadata(rest.join('/')) : artifact(rest.join('/'));
    },
  };
  for (const role of TOP_LEVEL) simulator.addKey(role, newSigner('ecdsa-p256', used));
  simulator.publish(TOP_LEVEL);
  return simulator;

  function delegationOf(role: string): { keys: Body['keys']; role: Role } {
    for (const { delegations } of Object.values(bodies)) {
      const found = delegations?.roles.find(({ name }) => name === role);
      if (delegations !== undefined && found !== undefined) return { keys: delegations.keys, role: found };
    }
    throw new Error(`nobody delegates to ${role}`);
  }

  function metadata(name: string): Buffer | undefined {
    const stem = name.replace(/\.json$/, '');
    if (stem === 'timestamp') {
      simulator.metadataRequests.push(['timestamp', undefined]);
      return simulator.published['timestamp']?.at(-1);
    }
    const consistent = bodies['root']!['consistent_snapshot'] === true;
    const match = consistent || stem.endsWith('.root') ? /^(\d+)\.(.*)$/.exec(stem) : undefined;
    if (match === null) return undefined;
    const role = match?.[2] ?? stem;
    const version = match?.[1] === undefined ? undefined : Number(match[1]);
    simulator.metadataRequests.push([role, version]);
    const versions = simulator.published[decodeURIComponent(role)] ?? [];
    return version === undefined ? versions.at(-1) : versions[version - 1];
  }

  function artifact(path: string): Buffer | undefined {
    const slash = path.lastIndexOf('/') + 1;
    const consistent = bodies['root']!['consistent_snapshot'] === true;
    const match = consistent ? /^([0-9a-f]+)\.(.*)$/.exec(path.slice(slash)) : undefined;
    if (match === null) return undefined;
    const name = decodeURIComponent(`${path.slice(0, slash)}${match?.[2] ?? path.slice(slash)}`);
    simulator.artifactRequests.push([name, match?.[1]]);
    return simulator.artifacts[name];
  }
}

/** From a pool that all simulators share: keys cost more than documents. */
export function newSigner(type: KeyType, used: Partial<Record<KeyType, number>> = {}): Signer {
  const signers = (pool[type] ??= []);
  const index = (used[type] = (used[type] ?? -1) + 1);
  return (signers[index] ??= makeSigner(type));
}

export function signerSet(type: KeyType, count: number): Signer[] {
  const used = {};
  return Array.from({ length: count }, () => newSigner(type, used));
}

function makeSigner(type: KeyType): Signer {
  switch (type) {
    case 'ed25519': {
      const { publicKey, privateKey } = generateKeyPairSync('ed25519');
      const hex = publicKey.export({ type: 'spki', format: 'der' }).subarray(12).toString('hex');
      return signer('ed25519', 'ed25519', hex, (message) => sign(null, message, privateKey));
    }
    case 'ecdsa-p256':
    case 'ecdsa-p384': {
      const bits = type === 'ecdsa-p256' ? 256 : 384;
      const namedCurve = bits === 256 ? 'prime256v1' : 'secp384r1';
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
      return signer('ecdsa', `ecdsa-sha2-nistp${bits}`, pem(publicKey), (message) =>
        sign(`sha${bits}`, message, privateKey),
      );
    }
    case 'rsa': {
      const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
      const options = { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
      return signer('rsa', 'rsassa-pss-sha256', pem(publicKey), (message) =>
        sign('sha256', message, options),
      );
    }
  }
}

function signer(
  keytype: string,
  scheme: string,
  publicKey: string,
  signWith: (message: Buffer) => Buffer,
): Signer {
  const key = { keytype, scheme, keyval: { public: publicKey } };
  return { key, keyid: createHash('sha256').update(canonicalize(key)).digest('hex'), sign: signWith };
}

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}
