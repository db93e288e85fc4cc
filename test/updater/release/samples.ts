/** Documents as a repository would hold them. */
import type { ReleaseEntry, ReleaseManifest, Rollout } from '../../../updater/release/document.ts';

const digest = (digit: string): string => digit.repeat(64);

export const ROLLOUT: Rollout = {
  startsAt: 1_800_000_000,
  curve: [
    [0, 0],
    [86400, 1_000_000],
  ],
};

export const ENTRY: ReleaseEntry = {
  format: '1.0',
  requires: [],
  image: 'minimal',
  version: '1.1.0',
  architecture: 'amd64',
  channels: { stable: ROLLOUT },
  sequence: 2,
  barrier: false,
  withoutBrake: 'hold',
};

const payload = { sha256: digest('a'), sizeBytes: 5000, headerBytes: 300, headerSha256: digest('b') };

export const MANIFEST: ReleaseManifest = {
  format: '1.0',
  requires: [],
  image: 'minimal',
  version: '1.1.0',
  architecture: 'amd64',
  notes: '# What is new\n',
  epoch: 1_790_000_000,
  stateVersion: 1,
  minMemoryMiB: 200,
  layoutVersions: [1],
  root: {
    sizeBytes: 8192,
    sha256: digest('2'),
    rootHash: digest('c'),
    salt: digest('d'),
    full: payload,
    blockList: { sha256: digest('e'), sizeBytes: 64 },
    deltas: [{ ...payload, from: '1.0.0', fromHash: digest('f') }],
  },
  uki: {
    sizeBytes: 1024,
    sha256: digest('1'),
    full: payload,
    deltas: [],
    signer: { leaf: digest('2'), leafTbs: digest('3'), issuer: digest('4') },
  },
  loader: { sha256: digest('5'), sizeBytes: 100_000, version: '262~rc1-1' },
  secureBoot: [{ variable: 'dbx', auth: { sha256: digest('6'), sizeBytes: 2000 } }],
  revokes: [digest('7')],
};

/** As a stranger would write it: a copy of a document with one value at a path put in its place (`undefined` removes it). */
export function altered(document: unknown, path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(document) as Record<string | number, unknown>;
  let holder = copy;
  for (const step of path.slice(0, -1)) holder = holder[step] as Record<string | number, unknown>;
  const last = path.at(-1) ?? '';
  if (value === undefined) Reflect.deleteProperty(holder, last);
  else Object.defineProperty(holder, last, { value, enumerable: true, configurable: true, writable: true });
  return copy;
}
