/** Images of a registry (OCI distribution-spec v1.1, pull), anonymously; every byte against its digest. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { publish, temporaryName, writeFileAtomic } from '../cache/directory.ts';
import { objectName, objectPath } from '../debian/fetch.ts';
import { download } from '../debian/download.ts';
import { MAX_DOCUMENT_BYTES, MEDIA_TYPES, type Descriptor } from '../../oci/manifest.ts';
import { sha256Digest } from './digest.ts';
import type { ImageReference } from '../../oci/reference.ts';
import { RegistrySession } from './registry-session.ts';
import { resolveParts, type ImageParts } from './source.ts';

type RegistryReference = ImageReference & { kind: 'registry' };

export interface RegistryOptions {
  readonly architecture: Architecture;
  /** The manifest that the lock holds: with it, and a full cache, no network is needed. */
  readonly digest?: string;
  /** Content-addressed folders or addresses, tried before the registry. */
  readonly inputs?: readonly string[];
  readonly progress?: (name: string, doneBytes: number, totalBytes: number) => void;
}

export async function openRegistryImage(
  reference: RegistryReference,
  options: RegistryOptions,
): Promise<ImageParts> {
  const where = `${reference.host}/${reference.repository}`;
  const session = new RegistrySession(reference.host, reference.repository);
  const digest = options.digest ?? reference.digest;
  const top =
    digest === undefined
      ? await fetchManifest(session, reference.tag ?? 'latest', undefined, where)
      : await cachedManifest(session, digest, options, where);
  const blob = (descriptor: Descriptor): Promise<string> => blobFile(session, descriptor, options, where);
  return resolveParts(top, blob, options.architecture, where);
}

async function cachedManifest(
  session: RegistrySession,
  digest: string,
  options: RegistryOptions,
  where: string,
): Promise<Uint8Array> {
  const path = objectPath(digest.slice('sha256:'.length));
  if (existsSync(path)) return readFile(path);
  for (const input of options.inputs ?? []) {
    const found = await readFile(join(input, objectName(digest.slice('sha256:'.length)))).catch(
      () => undefined,
    );
    if (found !== undefined && sha256Digest(found) === digest) return found;
  }
  return fetchManifest(session, digest, digest, where);
}

async function fetchManifest(
  session: RegistrySession,
  tagOrDigest: string,
  digest: string | undefined,
  where: string,
): Promise<Uint8Array> {
  const response = await session.get(`manifests/${tagOrDigest}`, {
    accept: [...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest].join(', '),
  });
  if (response.status === 404) {
    throw new SlipwayError('oci.not-found', `${where}: there is no image ${tagOrDigest}`);
  }
  const bytes = await readLimited(session.body(response), MAX_DOCUMENT_BYTES, where);
  const actual = sha256Digest(bytes);
  if (digest !== undefined && actual !== digest) {
    throw new SlipwayError('oci.digest', `${where}: the registry sends ${actual} for ${digest}`);
  }
  await writeFileAtomic(objectPath(actual.slice('sha256:'.length)), bytes);
  return bytes;
}

async function blobFile(
  session: RegistrySession,
  { digest, size, mediaType }: Descriptor,
  options: RegistryOptions,
  where: string,
): Promise<string> {
  const sha256 = digest.slice('sha256:'.length);
  const path = objectPath(sha256);
  if (existsSync(path)) return path;
  const temporary = temporaryName(path);
  await mkdir(dirname(path), { recursive: true });
  for (const input of options.inputs ?? []) {
    const address = `${input.replace(/\/+$/, '')}/${objectName(sha256)}`;
    const found = await download(address, temporary, { sha256, sizeBytes: size }, () => undefined).then(
      () => true,
      () => false,
    );
    if (found) {
      await publish(temporary, path);
      return path;
    }
  }
  // An index points at manifests: those have an address of their own.
  const isManifest = [...MEDIA_TYPES.manifest, ...MEDIA_TYPES.index].some((type) => type === mediaType);
  if (isManifest) {
    await fetchManifest(session, digest, digest, where);
    return path;
  }
  try {
    await receiveBlob(session, { sha256, size }, temporary, options, where);
    await publish(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return path;
}

async function receiveBlob(
  session: RegistrySession,
  { sha256, size }: { sha256: string; size: number },
  path: string,
  options: RegistryOptions,
  where: string,
): Promise<void> {
  const response = await session.get(`blobs/sha256:${sha256}`, {});
  if (response.status === 404) {
    throw new SlipwayError('oci.not-found', `${where}: the registry has no blob sha256:${sha256}`);
  }
  const hash = createHash('sha256');
  const handle = await open(path, 'wx');
  let done = 0;
  try {
    for await (const chunk of session.body(response)) {
      done += chunk.length;
      if (done > size) break;
      hash.update(chunk);
      await handle.writeFile(chunk);
      options.progress?.(where, done, size);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (done !== size || hash.digest('hex') !== sha256) {
    throw new SlipwayError('oci.digest', `${where}: the registry sends something else for sha256:${sha256}`);
  }
}

async function readLimited(
  stream: AsyncIterable<Uint8Array>,
  maxBytes: number,
  where: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    size += chunk.length;
    if (size > maxBytes)
      throw new SlipwayError('oci.invalid', `${where}: the manifest is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
