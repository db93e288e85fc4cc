/** Large objects go in parts: a push that is cut off goes on with the part that it was at. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { SlipwayError } from '../../../spec/error.ts';
import { xmlTexts, type S3Request } from './s3-request.ts';
import type { LocalFile } from './target.ts';

/** Of at most 10000 parts: objects up to 160 GiB. */
export const PART_BYTES = 16 * 1024 * 1024;

export async function uploadParts(
  request: S3Request,
  key: string,
  { path, sizeBytes }: LocalFile,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const uploadId = (await findUpload(request, key)) ?? (await beginUpload(request, key, headers));
  const present = await listParts(request, key, uploadId);
  const parts: string[] = [];
  const file = await open(path, 'r');
  try {
    for (let number = 1, offset = 0; offset < sizeBytes; number++, offset += PART_BYTES) {
      const bytes = Buffer.alloc(Math.min(PART_BYTES, sizeBytes - offset));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, offset);
      if (bytesRead !== bytes.length)
        throw new SlipwayError('push.changed', `${path} changed while it was sent`);
      // Most stores' tags are the part's MD5; where they are not, it is sent again.
      const md5 = createHash('md5').update(bytes).digest('hex');
      let tag = present.get(number) === `"${md5}"` ? `"${md5}"` : undefined;
      if (tag === undefined) {
        await request('PUT', key, {
          query: { partNumber: String(number), uploadId },
          body: bytes,
          onHeaders: (answer) => (tag = answer.get('etag') ?? undefined),
        });
      }
      parts.push(`<Part><PartNumber>${number}</PartNumber><ETag>${tag ?? ''}</ETag></Part>`);
    }
  } finally {
    await file.close();
  }
  const body = `<CompleteMultipartUpload>${parts.join('')}</CompleteMultipartUpload>`;
  const answer = (await request('POST', key, { query: { uploadId }, body })).toString('utf8');
  // It begins to answer before it knows: a failure comes with status 200.
  const failed = xmlTexts(answer, 'Error')[0];
  if (failed !== undefined) throw new Error(`${key}: ${xmlTexts(failed, 'Code')[0] ?? failed}`);
}

/** One that an earlier push began. */
async function findUpload(request: S3Request, key: string): Promise<string | undefined> {
  const text = (await request('GET', '', { query: { uploads: '', prefix: key } })).toString('utf8');
  const upload = xmlTexts(text, 'Upload').find((each) => xmlTexts(each, 'Key')[0] === key);
  return upload === undefined ? undefined : xmlTexts(upload, 'UploadId')[0];
}

async function beginUpload(
  request: S3Request,
  key: string,
  headers: Readonly<Record<string, string>>,
): Promise<string> {
  const text = (await request('POST', key, { query: { uploads: '' }, headers })).toString('utf8');
  const uploadId = xmlTexts(text, 'UploadId')[0];
  if (uploadId === undefined) throw new Error(`${key}: no UploadId in the answer`);
  return uploadId;
}

/** Number -> entity tag, in quotes. */
async function listParts(
  request: S3Request,
  key: string,
  uploadId: string,
): Promise<ReadonlyMap<number, string>> {
  const found = new Map<number, string>();
  let marker: string | undefined;
  do {
    const query = { uploadId, ...(marker === undefined ? {} : { 'part-number-marker': marker }) };
    const text = (await request('GET', key, { query })).toString('utf8');
    for (const part of xmlTexts(text, 'Part')) {
      const tag = xmlTexts(part, 'ETag')[0]?.replaceAll('"', '') ?? '';
      found.set(Number(xmlTexts(part, 'PartNumber')[0]), `"${tag}"`);
    }
    marker =
      xmlTexts(text, 'IsTruncated')[0] === 'true' ? xmlTexts(text, 'NextPartNumberMarker')[0] : undefined;
  } while (marker !== undefined);
  return found;
}
