/**
 * The record of what this machine has adopted: which source, and the digests of its documents. It lies on the state partition, where anybody
 * with a screwdriver can write, so it is read strictly; what may be done with it is for the policy to say.
 */
import type { DatasourceName } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { isDatasource } from '../policy.ts';
import type { Json, MetaData, PlatformFacts } from '../source/found.ts';
import { readBounded } from './durable.ts';

export const DOCUMENT_NAMES = ['userData', 'vendorData', 'networkConfig', 'rawMetaData'] as const;
export type DocumentName = (typeof DOCUMENT_NAMES)[number];
/** SHA-256 of each, under which it is kept. */
export type Digests = Readonly<Partial<Record<DocumentName, string>>>;

export interface AdoptedRecord {
  readonly format: '1.0';
  readonly source: DatasourceName;
  readonly origin: string;
  readonly instanceId: string;
  readonly metaData: MetaData;
  readonly platformFacts: PlatformFacts;
  readonly documents: Digests;
  /** Of the documents as they lay there, for offline sources. */
  readonly seed: Digests;
  /** All of it that lasts (files, disks, host keys) was done: it is not done again while the configuration is the same. */
  readonly complete: boolean;
}

const LIMIT_BYTES = 256 * 1024;

/** `undefined` unless every field is as it was written. */
export function parseRecord(value: unknown): AdoptedRecord | undefined {
  if (!isRecord(value) || value['format'] !== '1.0') return undefined;
  const { source, origin, instanceId, metaData, platformFacts, documents, seed, complete } = value;
  if (!isDatasource(source) || !isLine(origin) || !isLine(instanceId)) return undefined;
  if (!isRecord(metaData) || !isRecord(platformFacts)) return undefined;
  if (!isDigests(documents) || !isDigests(seed) || typeof complete !== 'boolean') return undefined;
  const { localHostname, publicKeys, variables } = metaData;
  if (localHostname !== undefined && !isLine(localHostname)) return undefined;
  if (!Array.isArray(publicKeys) || !publicKeys.every(isLine) || !isRecord(variables)) return undefined;
  const { cloudName } = platformFacts;
  if (!isLine(cloudName) || !Object.values(platformFacts).every(isLine)) return undefined;
  return {
    format: '1.0',
    source,
    origin,
    instanceId,
    metaData: {
      ...(localHostname === undefined ? {} : { localHostname }),
      publicKeys,
      variables: variables as Readonly<Record<string, Json>>,
    },
    platformFacts: { ...platformFacts, cloudName },
    documents,
    seed,
    complete,
  };
}

/** A JSON file of the state partition; `undefined` where there is none, or it is none. */
export function readJson(system: System, path: string): unknown {
  const bytes = readBounded(system, path, LIMIT_BYTES);
  try {
    return bytes === undefined ? undefined : (JSON.parse(system.decode(bytes)) as unknown);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isLine(value: unknown): value is string {
  // eslint-disable-next-line no-control-regex
  return typeof value === 'string' && value.length <= 16_384 && !/[\u0000-\u001f\u007f]/.test(value);
}

function isDigests(value: unknown): value is Digests {
  return (
    isRecord(value) &&
    Object.entries(value).every(
      ([name, digest]) =>
        DOCUMENT_NAMES.some((one) => one === name) &&
        typeof digest === 'string' &&
        /^[0-9a-f]{64}$/.test(digest),
    )
  );
}
