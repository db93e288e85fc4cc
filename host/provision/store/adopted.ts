/**
 * The configuration that this machine has adopted: raw copies of its documents under their digests (0600), and one record that names them,
 * written last: after a power cut there is the old configuration, or the new one.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import {
  PROVISIONING_PATHS,
  type DatasourceName,
  type ProvisioningPolicy,
} from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { hears } from '../policy.ts';
import type { Documents, Found, Seed } from '../source/found.ts';
import { makeStateDirectory, readBounded, removeDurable, writeDurable, writeWhole } from './durable.ts';
import {
  DOCUMENT_NAMES,
  isRecord,
  parseRecord,
  readJson,
  type AdoptedRecord,
  type Digests,
  type DocumentName,
} from './record.ts';

const DIRECTORY = PROVISIONING_PATHS.state;
const DOCUMENTS = `${DIRECTORY}/documents`;
const RECORD = 'adopted.json';
const TRIED = 'before-try.json';
const DOCUMENT_LIMIT_BYTES = 1024 * 1024;

/** What a try would return to. */
export interface Tried {
  readonly format: '1.0';
  readonly before: AdoptedRecord | null;
  /** Unix time in seconds: for people. The machine counts its uptime. */
  readonly revertsAt: number;
}

/** Of a configuration as a whole: two with the same digest are the same. */
export function digestOf({ instanceId, documents }: AdoptedRecord): string {
  const digests = DOCUMENT_NAMES.map((name) => documents[name] ?? '-').join(' ');
  const text = `${encodeURIComponent(instanceId)} ${digests}`;
  return bytesToHex(sha256(Uint8Array.from(text, (character) => character.charCodeAt(0))));
}

/** The record as it would be stored. */
export function recordOf(found: Found, complete: boolean): AdoptedRecord {
  const { source, origin, instanceId, metaData, platformFacts } = found;
  // One and the same array under two names is hashed once: it is slow here.
  const known = new Map<Uint8Array, string>();
  const digests = (documents: Documents): Digests =>
    Object.fromEntries(
      present(documents).map(([name, bytes]) => {
        const digest = known.get(bytes) ?? bytesToHex(sha256(bytes));
        known.set(bytes, digest);
        return [name, digest];
      }),
    );
  const documents = digests(found);
  const seed = digests(found.seed ?? {});
  return { format: '1.0', source, origin, instanceId, metaData, platformFacts, documents, seed, complete };
}

export async function storeAdopted(system: System, found: Found, record: AdoptedRecord): Promise<void> {
  const files = new Map<string, Uint8Array>();
  for (const [name, bytes] of present(found)) files.set(record.documents[name]!, bytes);
  for (const [name, bytes] of present(found.seed ?? {})) files.set(record.seed[name]!, bytes);
  makeStateDirectory(system);
  // Those that are there are read back with their digests, so they are written again.
  await writeDurable(
    system,
    DOCUMENTS,
    [...files].map(([name, bytes]) => ({ name, bytes })),
  );
  await storeRecord(system, record);
}

export async function storeRecord(system: System, record: AdoptedRecord): Promise<void> {
  await writeDurable(system, DIRECTORY, [json(system, RECORD, record)]);
  sweep(system);
}

/** That all of an adopted configuration was done, or not. To be settled. */
export function storeOutcome(system: System, record: AdoptedRecord): void {
  writeWhole(system, DIRECTORY, [json(system, RECORD, record)]);
}

export async function forgetAdopted(system: System): Promise<void> {
  await removeDurable(system, DIRECTORY, [RECORD]);
  sweep(system);
}

/** `undefined` where there is none, where it is not whole, or where the policy no longer hears its source. */
export function readRecord(system: System, policy: ProvisioningPolicy): AdoptedRecord | undefined {
  const record = parseRecord(readJson(system, `${DIRECTORY}/${RECORD}`));
  return record !== undefined && hears(policy, record.source) ? record : undefined;
}

/** Who configured this machine, where the image does not hear that source. */
export function unheardSource(system: System, policy: ProvisioningPolicy): DatasourceName | undefined {
  const record = parseRecord(readJson(system, `${DIRECTORY}/${RECORD}`));
  return record !== undefined && !hears(policy, record.source) ? record.source : undefined;
}

/** The stored documents, as the source once gave them. `undefined` where one is missing or is not what was stored. */
export function readAdopted(system: System, record: AdoptedRecord): Found | undefined {
  const documents = readDigests(system, record.documents);
  const seed = readDigests(system, record.seed);
  if (documents === undefined || seed === undefined) return undefined;
  const { source, origin, instanceId, metaData, platformFacts } = record;
  return { source, origin, instanceId, metaData, platformFacts, notes: [], ...documents, seed };
}

/** Whether an offline source has what it had when it was adopted; compared as bytes. */
export function sameSeed(system: System, record: AdoptedRecord, seed: Seed): boolean {
  // What `ds=` says is not kept: it is read anew.
  if (seed.line !== undefined || seed.configUrl !== undefined) return false;
  return DOCUMENT_NAMES.every((name) => {
    const digest = record.seed[name];
    const bytes = seed.documents[name];
    if (digest === undefined || bytes === undefined) return digest === undefined && bytes === undefined;
    const stored = readBounded(system, `${DOCUMENTS}/${digest}`, DOCUMENT_LIMIT_BYTES);
    return stored?.length === bytes.length && stored.every((byte, index) => byte === bytes[index]);
  });
}

export async function storeTried(system: System, tried: Tried): Promise<void> {
  await writeDurable(system, DIRECTORY, [json(system, TRIED, tried)]);
}

export function readTried(system: System): Tried | undefined {
  const value = readJson(system, `${DIRECTORY}/${TRIED}`);
  if (!isRecord(value) || typeof value['revertsAt'] !== 'number') return undefined;
  return { format: '1.0', before: parseRecord(value['before']) ?? null, revertsAt: value['revertsAt'] };
}

export async function forgetTried(system: System): Promise<void> {
  await removeDurable(system, DIRECTORY, [TRIED]);
  sweep(system);
}

/** Documents that no record names. */
function sweep(system: System): void {
  const records = [parseRecord(readJson(system, `${DIRECTORY}/${RECORD}`)), readTried(system)?.before];
  const named = new Set(
    records.flatMap((record) => [
      ...Object.values(record?.documents ?? {}),
      ...Object.values(record?.seed ?? {}),
    ]),
  );
  for (const name of system.list(DOCUMENTS)) if (!named.has(name)) system.remove(`${DOCUMENTS}/${name}`);
}

function readDigests(system: System, digests: Digests): Documents | undefined {
  const documents: Partial<Record<DocumentName, Uint8Array>> = {};
  for (const name of DOCUMENT_NAMES) {
    const digest = digests[name];
    if (digest === undefined) continue;
    const bytes = readBounded(system, `${DOCUMENTS}/${digest}`, DOCUMENT_LIMIT_BYTES);
    if (bytes === undefined || bytesToHex(sha256(bytes)) !== digest) return undefined;
    documents[name] = bytes;
  }
  return documents;
}

function present(documents: Documents): readonly (readonly [DocumentName, Uint8Array])[] {
  return DOCUMENT_NAMES.flatMap((name) => {
    const bytes = documents[name];
    return bytes === undefined ? [] : [[name, bytes] as const];
  });
}

function json(system: System, name: string, value: unknown): { name: string; bytes: Uint8Array } {
  return { name, bytes: system.encode(`${JSON.stringify(value)}\n`) };
}
