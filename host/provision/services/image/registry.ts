/** Images of a registry (OCI distribution-spec v1.1, pull), anonymously; every byte against its digest, what was fetched is not fetched again. */
import { MAX_DOCUMENT_BYTES, MEDIA_TYPES } from '../../../../oci/manifest.ts';
import { isLoopback } from '../../../../oci/reference.ts';
import { SlipwayError } from '../../../../spec/error.ts';
import type { Architecture } from '../../../../spec/image.ts';
import type { System } from '../../../../system/system.ts';
import type { ImageSource } from '../reference.ts';
import { digestOf, readRange } from './bytes.ts';
import { demandCurl, httpGet, type HttpResponse } from './curl.ts';
import { imageParts, type ImageParts } from './parts.ts';
import type { ImageStore } from './store.ts';
import type { FileRange } from './tar.ts';

export type RegistrySource = ImageSource & { readonly kind: 'registry' };

/** Of one layer as it is stored. */
const MAX_BLOB_BYTES = 2 * 1024 ** 3;
const ATTEMPTS = 5;
const PAUSE_MS = 1000;

interface Session {
  readonly store: ImageStore;
  readonly source: RegistrySource;
  readonly scheme: 'https' | 'http';
  /** `registry/repository`. */
  readonly where: string;
  token: string | undefined;
}

/** Throws SlipwayError `oci.*` and `services.*`; those of the network have the code `oci.unreachable`, and may be well later. */
export async function openRegistry(
  store: ImageStore,
  source: RegistrySource,
  architecture: Architecture,
): Promise<ImageParts> {
  const { system, directory, guard } = store;
  demandCurl(system);
  const blobs = `${directory}/.blobs`;
  if (!system.makeDirectory(directory, 0o700) || !system.makeDirectory(blobs, 0o700))
    throw guard.failed(blobs);
  const session: Session = {
    store,
    source,
    scheme: isLoopback(source.host) ? 'http' : source.scheme,
    where: `${source.host}/${source.repository}`,
    token: undefined,
  };
  const top = readRange(system, await manifest(session, source.digest ?? source.tag ?? 'latest', blobs));
  return imageParts(
    system,
    top,
    ({ digest, size, mediaType }) => {
      const isManifest = [...MEDIA_TYPES.manifest, ...MEDIA_TYPES.index].some((type) => type === mediaType);
      return isManifest ? manifest(session, digest, blobs) : blob(session, digest, size, blobs);
    },
    architecture,
    session.where,
  );
}

/** `which`: a tag or a digest. */
async function manifest(session: Session, which: string, blobs: string): Promise<FileRange> {
  const { system } = session.store;
  const isDigest = which.startsWith('sha256:');
  const path = `${blobs}/${isDigest ? which.slice('sha256:'.length) : 'manifest'}`;
  const there = system.status(path);
  if (isDigest && there !== undefined) return { path, offset: 0, sizeBytes: there.sizeBytes };
  const accept = `Accept: ${[...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest].join(', ')}`;
  const range = await fetch(session, `manifests/${which}`, [accept], `${path}.part`, MAX_DOCUMENT_BYTES);
  return isDigest ? finish(session, range, which, path) : range;
}

async function blob(session: Session, digest: string, size: number, blobs: string): Promise<FileRange> {
  const { system, guard } = session.store;
  const path = `${blobs}/${digest.slice('sha256:'.length)}`;
  const there = system.status(path);
  if (there?.sizeBytes === size) return { path, offset: 0, sizeBytes: size };
  if (size > MAX_BLOB_BYTES)
    throw new SlipwayError('oci.invalid', `${session.where}: ${digest} is larger than 2 GiB`);
  await guard.demand(size - (system.status(`${path}.part`)?.sizeBytes ?? 0), session.where);
  const range = await fetch(session, `blobs/${digest}`, [], `${path}.part`, size);
  return finish(session, range, digest, path);
}

async function finish(session: Session, range: FileRange, digest: string, path: string): Promise<FileRange> {
  const { system, guard } = session.store;
  if ((await digestOf(system, range)) !== digest) {
    system.remove(range.path);
    throw new SlipwayError('oci.digest', `${session.where}: the registry sends something else for ${digest}`);
  }
  if (!system.rename(range.path, path)) throw guard.failed(path);
  return { ...range, path };
}

/** Into `path`, gone on with where an earlier try ended. A part that was whole already is taken as it is: its digest decides. */
async function fetch(
  session: Session,
  what: string,
  headers: readonly string[],
  path: string,
  maxBytes: number,
): Promise<FileRange> {
  const { system } = session.store;
  const isBlob = what.startsWith('blobs/');
  let last: HttpResponse | undefined;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if (!isBlob) system.remove(path);
    const before = system.status(path)?.sizeBytes ?? 0;
    if (isBlob && before === maxBytes) return { path, offset: 0, sizeBytes: before };
    if (before > maxBytes) system.remove(path);
    last = await request(session, what, headers, path, maxBytes);
    const sizeBytes = system.status(path)?.sizeBytes ?? 0;
    if (last.complete && (!isBlob || sizeBytes === maxBytes)) return { path, offset: 0, sizeBytes };
    if (last.status === 404) throw new SlipwayError('oci.not-found', `${session.where}: there is no ${what}`);
    if (last.status === 401 || last.status === 403) throw denied(session, `(${last.status})`);
    // 33: it knows no ranges. 416: the part is not one of it.
    if (last.code === 33 || last.status === 416) system.remove(path);
    // What goes on is no failed try.
    if (isBlob && sizeBytes > before) attempt = 0;
    if (attempt < ATTEMPTS) await pause(system, PAUSE_MS * 2 ** attempt);
  }
  const why = last?.status === 0 ? `curl says ${last.code}` : `it answers ${last?.status ?? 0}`;
  throw new SlipwayError('oci.unreachable', `${session.source.host} cannot be reached: ${why}`, {
    hint: 'the rest of the configuration holds; it is tried again',
  });
}

async function request(
  session: Session,
  what: string,
  headers: readonly string[],
  path: string,
  maxBytes: number,
): Promise<HttpResponse> {
  const { source, scheme, store } = session;
  const url = `${scheme}://${source.host}/v2/${source.repository}/${what}`;
  const once = (): Promise<HttpResponse> => {
    const authorization = session.token === undefined ? [] : [`Authorization: Bearer ${session.token}`];
    return httpGet(store.system, store.guard, {
      url,
      headers: [...headers, ...authorization],
      path,
      maxBytes,
      scheme,
    });
  };
  const response = await once();
  if (response.status !== 401) return response;
  session.token = await token(session, response.headers.get('www-authenticate') ?? '', path);
  return once();
}

/** Distribution's token authentication: whoever asks is told where to get a token, and gets one without a name. */
async function token(session: Session, challenge: string, near: string): Promise<string> {
  const { source, scheme, store } = session;
  const { system, guard } = store;
  const parameters = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
  );
  const realm = parameters.get('realm') ?? '';
  if (!/^bearer /i.test(challenge) || !/^https?:\/\/[^\s"]+$/.test(realm))
    throw denied(session, '(it asks for a password)');
  const host = /^\w+:\/\/([^/?#]*)/.exec(realm)?.[1] ?? '';
  const plain = realm.startsWith('http://');
  if (plain && scheme !== 'http' && !isLoopback(host))
    throw new SlipwayError('oci.denied', `${source.host} wants its token fetched without TLS`);
  const scope = parameters.get('scope') ?? `repository:${source.repository}:pull`;
  const service = parameters.get('service');
  const query = [
    ...(service === undefined ? [] : [`service=${encodeURIComponent(service)}`]),
    `scope=${encodeURIComponent(scope)}`,
  ].join('&');
  const path = `${near}.token`;
  system.remove(path);
  const url = `${realm}${realm.includes('?') ? '&' : '?'}${query}`;
  const response = await httpGet(system, guard, {
    url,
    headers: [],
    path,
    maxBytes: 65_536,
    scheme: plain ? 'http' : 'https',
  });
  const text = system.readText(path) ?? '';
  system.remove(path);
  const found = tokenIn(text);
  if (!response.complete || found === undefined)
    throw denied(session, `(${host} gives no token: ${response.status})`);
  return found;
}

function tokenIn(text: string): string | undefined {
  try {
    const body = JSON.parse(text) as { token?: unknown; access_token?: unknown };
    const value = body.token ?? body.access_token;
    return typeof value === 'string' && /^[\w.~+/=-]+$/.test(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function denied({ where }: Session, why: string): SlipwayError {
  return new SlipwayError('oci.denied', `${where} is not public ${why}`, {
    hint: 'images are fetched without an account: save it with `docker save`, and name the .tar file',
  });
}

function pause(system: System, ms: number): Promise<void> {
  return new Promise((resolve) => void system.after(ms, resolve));
}
