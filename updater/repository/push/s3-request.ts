/** Signed requests to one bucket (AWS Signature Version 4, by aws4fetch). */
import { createHash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import { SlipwayError } from '../../../spec/error.ts';
import { own } from '../../../spec/own.ts';

export interface S3Place {
  readonly bucket: string;
  /** Without it, Amazon's own. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
}

export interface S3RequestOptions {
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** Called with the answer's headers. */
  readonly onHeaders?: (headers: Headers) => void;
}

/** Throws `push.refused` for what trying again does not heal. `missing: 'undefined'` says so instead of failing when there is no such object. */
export interface S3Request {
  (method: string, key: string, options: S3RequestOptions): Promise<Buffer>;
  (
    method: string,
    key: string,
    options: S3RequestOptions & { readonly missing: 'undefined' },
  ): Promise<Buffer | undefined>;
}

export function s3Requests(place: S3Place): S3Request {
  const { accessKeyId, secretAccessKey, sessionToken, region } = place;
  const client = new AwsClient({
    ...{ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 },
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
  const request = async (
    method: string,
    key: string,
    options: S3RequestOptions & { readonly missing?: 'undefined' },
  ): Promise<Buffer | undefined> => {
    const url = new URL(bucketUrl(place) + key.split('/').map(encodeURIComponent).join('/'));
    for (const [name, value] of Object.entries(options.query ?? {})) url.searchParams.set(name, value);
    const body = options.body ?? '';
    // The store compares what arrives with it.
    const digest = createHash('sha256').update(body).digest('hex');
    const response = await client.fetch(url.href, {
      method,
      headers: { ...options.headers, 'X-Amz-Content-Sha256': digest },
      ...(options.body === undefined ? {} : { body: options.body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    if (response.status === 404 && options.missing !== undefined && !bytes.includes('NoSuchBucket'))
      return undefined;
    if (!response.ok) throw failure(place, method, key, response.status, bytes.toString('utf8'));
    options.onHeaders?.(response.headers);
    return bytes;
  };
  return request as S3Request;
}

/** 16 MiB over a link of 30 kB/s. */
const TIMEOUT_MS = 600_000;

/** Contents of all elements of a name. The few answers that are read are flat and machine-made. */
export function xmlTexts(xml: string, element: string): readonly string[] {
  const found = xml.matchAll(new RegExp(`<${element}(?:\\s[^>]*)?>([\\s\\S]*?)</${element}>`, 'g'));
  return Array.from(found, ([, text]) =>
    (text ?? '').replace(/&(quot|apos|lt|gt|amp|#34|#39);/g, (_all, name: string) => ENTITIES[name] ?? ''),
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ quot: '"', '#34': '"', apos: "'", '#39': "'", lt: '<', gt: '>', amp: '&' },
};

/** Ends with a slash. With an endpoint the bucket is in the path, as all of them understand. */
function bucketUrl({ bucket, endpoint, region }: S3Place): string {
  return endpoint === undefined
    ? `https://${bucket}.s3.${region}.amazonaws.com/`
    : `${endpoint.replace(/\/+$/, '')}/${bucket}/`;
}

function failure(place: S3Place, method: string, key: string, status: number, answer: string): Error {
  const code = xmlTexts(answer, 'Code')[0] ?? '';
  const text =
    `${method} ${key === '' ? place.bucket : key}: ${status} ${code} ${xmlTexts(answer, 'Message')[0] ?? ''}`.trimEnd();
  // A request that took too long, clocks that differ for a moment, and uploads that another push completed heal.
  const passing =
    status >= 500 || status === 429 || status === 408 || ['RequestTimeout', 'NoSuchUpload'].includes(code);
  if (passing) return new Error(text);
  return new SlipwayError('push.refused', text, {
    hint:
      own(HINTS, code) ??
      'check bucket, AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  });
}

const HINTS: Readonly<Record<string, string>> = {
  AccessDenied: 'the key needs s3:ListBucket, s3:GetObject, s3:PutObject and, for --delete, s3:DeleteObject',
  RequestTimeTooSkewed: 'this clock is wrong',
  NoSuchBucket: 'make the bucket first',
  PermanentRedirect: 'the bucket is in another region: AWS_REGION',
  AuthorizationHeaderMalformed: 'the bucket is in another region: AWS_REGION',
};
