/**
 * A small strict store with S3's protocol: it checks every signature by itself, as "Authenticating Requests (AWS Signature Version 4)" in Amazon's
 * reference says, and every body against the digest that was signed.
 */
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface S3Server {
  readonly endpoint: string;
  /** Key -> object, as they are visible. */
  readonly objects: Map<string, StoredObject>;
  /** `METHOD key?query`, of what was accepted. */
  readonly log: string[];
  /** Answers instead of the server when it returns a status; 0 cuts the connection. */
  fault: (request: string) => number | undefined;
  close(): Promise<void>;
}

export interface StoredObject {
  readonly bytes: Buffer;
  readonly cacheControl: string | undefined;
}

export const BUCKET = 'updates';
export const CREDENTIALS = {
  ...{ AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE', AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
  ...{ AWS_SESSION_TOKEN: 'session/token+=', AWS_REGION: 'eu-test-1' },
};
/** Small, so that listings take several requests. */
const PAGE = 3;

interface Upload {
  readonly key: string;
  readonly cacheControl: string | undefined;
  readonly parts: Map<number, Buffer>;
}

export async function startS3(): Promise<S3Server> {
  const uploads = new Map<string, Upload>();
  const state: { fault: S3Server['fault'] } = { fault: () => undefined };
  const objects = new Map<string, StoredObject>();
  const log: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      const url = new URL(request.url ?? '/', 'http://store');
      const key = decodeURIComponent(url.pathname).slice(`/${BUCKET}/`.length);
      const line = `${request.method ?? ''} ${key}${url.search}`;
      const status = state.fault(line);
      if (status === 0) return void request.socket.destroy();
      const wrong = signatureError(request, url, bytes);
      const answer =
        status !== undefined
          ? { status, body: error('SlowDown') }
          : wrong !== undefined
            ? { status: 403, body: error(wrong) }
            : !url.pathname.startsWith(`/${BUCKET}/`)
              ? { status: 404, body: error('NoSuchBucket') }
              : handle(request, url, key, bytes, { objects, uploads });
      if (answer.status < 300) log.push(line);
      response.writeHead(answer.status, answer.headers ?? {}).end(answer.body);
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ objects, log },
    get fault() {
      return state.fault;
    },
    set fault(value) {
      state.fault = value;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly body?: Buffer | string;
  readonly headers?: Record<string, string>;
}

interface Store {
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
}

function handle(request: IncomingMessage, url: URL, key: string, bytes: Buffer, store: Store): Answer {
  const query = url.searchParams;
  const uploadId = query.get('uploadId');
  const upload = uploadId === null ? undefined : store.uploads.get(uploadId);
  const cacheControl = request.headers['cache-control'];
  if (uploadId !== null && upload?.key !== key) return { status: 404, body: error('NoSuchUpload') };
  const operation = `${request.method ?? ''}${key === '' ? ' bucket' : ''}${query.has('uploads') ? ' uploads' : ''}${upload === undefined ? '' : ' upload'}`;
  switch (operation) {
    case 'GET bucket':
      return { status: 200, body: listing(query, store.objects) };
    case 'GET bucket uploads':
      return {
        status: 200,
        body: [...store.uploads]
          .filter(([, each]) => each.key.startsWith(query.get('prefix') ?? ''))
          .map(([id, each]) => `<Upload><Key>${each.key}</Key><UploadId>${id}</UploadId></Upload>`)
          .join(''),
      };
    case 'POST uploads': {
      const id = `upload&${store.uploads.size}=`;
      store.uploads.set(id, { key, cacheControl, parts: new Map() });
      return { status: 200, body: `<UploadId>${id.replace('&', '&amp;')}</UploadId>` };
    }
    case 'PUT upload':
      upload?.parts.set(Number(query.get('partNumber')), bytes);
      return { status: 200, headers: { ETag: tag(bytes) } };
    case 'GET upload':
      return {
        status: 200,
        body: [...(upload?.parts ?? [])]
          .map(
            ([n, part]) =>
              `<Part><PartNumber>${n}</PartNumber><ETag>${tag(part).replaceAll('"', '&quot;')}</ETag></Part>`,
          )
          .join(''),
      };
    case 'POST upload': {
      const wanted = [...bytes.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>(.*?)<\/ETag>/g)];
      const parts = wanted.map(([, number]) => upload?.parts.get(Number(number)));
      if (wanted.some(([, , etag], index) => etag !== tag(parts[index] ?? Buffer.alloc(0))))
        return { status: 400, body: error('InvalidPart') };
      store.objects.set(key, {
        bytes: Buffer.concat(parts.map((part) => part ?? Buffer.alloc(0))),
        cacheControl: upload?.cacheControl,
      });
      store.uploads.delete(uploadId ?? '');
      return { status: 200, body: `<CompleteMultipartUploadResult/>` };
    }
    case 'PUT':
      store.objects.set(key, { bytes, cacheControl });
      return { status: 200, headers: { ETag: tag(bytes) } };
    case 'GET': {
      const object = store.objects.get(key);
      return object === undefined
        ? { status: 404, body: error('NoSuchKey') }
        : { status: 200, body: object.bytes };
    }
    case 'DELETE':
      store.objects.delete(key);
      return { status: 204 };
    default:
      return { status: 405, body: error('MethodNotAllowed') };
  }
}

function listing(query: URLSearchParams, objects: ReadonlyMap<string, StoredObject>): string {
  const keys = [...objects.keys()].filter((key) => key.startsWith(query.get('prefix') ?? '')).sort();
  const start = Number(query.get('continuation-token')?.split('+/=')[1] ?? 0);
  const page = keys
    .slice(start, start + PAGE)
    .map(
      (key) => `<Contents><Key>${key}</Key><Size>${objects.get(key)?.bytes.length ?? 0}</Size></Contents>`,
    );
  const next =
    start + PAGE < keys.length
      ? `<NextContinuationToken>token+/=${start + PAGE}</NextContinuationToken>`
      : '';
  return `<?xml version="1.0"?><ListBucketResult xmlns="x">${page.join('')}${next}</ListBucketResult>`;
}

/** The specification's three tasks: canonical request, string to sign, signature. */
function signatureError(request: IncomingMessage, url: URL, body: Buffer): string | undefined {
  const header = (name: string): string => {
    const value = request.headers[name];
    return (Array.isArray(value) ? value.join(',') : (value ?? '')).trim().replace(/ +/g, ' ');
  };
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      header('authorization'),
    );
  if (match === null) return 'AccessDenied';
  const [, keyId, day = '', region = '', signedHeaders = '', signature] = match;
  const date = header('x-amz-date');
  if (keyId !== CREDENTIALS.AWS_ACCESS_KEY_ID || region !== CREDENTIALS.AWS_REGION)
    return 'InvalidAccessKeyId';
  if (header('x-amz-security-token') !== CREDENTIALS.AWS_SESSION_TOKEN) return 'InvalidToken';
  if (!date.startsWith(day) || Math.abs(Date.now() - parseDate(date)) > 900_000)
    return 'RequestTimeTooSkewed';
  const names = signedHeaders.split(';');
  const must = ['host', ...Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))];
  if (must.some((name) => !names.includes(name))) return 'AccessDenied';
  const digest = header('x-amz-content-sha256');
  if (digest !== sha256(body)) return 'XAmzContentSHA256Mismatch';
  const canonicalQuery = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const canonicalPath = decodeURIComponent(url.pathname).split('/').map(encode).join('/');
  const canonical = [
    ...[request.method, canonicalPath, canonicalQuery],
    ...[...names.map((name) => `${name}:${header(name)}`), '', signedHeaders, digest],
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  let key: Buffer = Buffer.from(`AWS4${CREDENTIALS.AWS_SECRET_ACCESS_KEY}`);
  for (const part of [day, region, 's3', 'aws4_request']) key = hmac(key, part);
  return hmac(key, text).toString('hex') === signature ? undefined : 'SignatureDoesNotMatch';
}

/** All but A-Z a-z 0-9 - . _ ~. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function parseDate(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\dT\d\d)(\d\d)(\d\dZ)$/, '$1-$2-$3:$4:$5'));
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function tag(bytes: Buffer): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function error(code: string): string {
  return `<?xml version="1.0"?><Error><Code>${code}</Code><Message>about ${code}</Message></Error>`;
}
