/** S3 and what speaks like it (MinIO, Ceph, R2, B2, ...): an object appears when it is whole, and takes the old one's place in one step. */
import { parseFileName, TIMESTAMP } from '../repository/layout.ts';
import { contentType, readWhole } from './content.ts';
import { xmlTexts, type S3Request } from './s3-request.ts';
import { PART_BYTES, uploadParts } from './s3-parts.ts';
import type { PushTarget } from './target.ts';

/** `prefix` is empty or ends with a slash. */
export function s3Target(address: string, request: S3Request, prefix: string): PushTarget {
  const put = async (name: string, bytes: Uint8Array): Promise<void> => {
    await request('PUT', prefix + name, { body: bytes, headers: objectHeaders(name) });
  };
  return {
    address,
    parallel: 4,
    batch: 1,
    list: async () => {
      const sizes = new Map<string, number>();
      let token: string | undefined;
      do {
        const query = {
          'list-type': '2',
          prefix,
          ...(token === undefined ? {} : { 'continuation-token': token }),
        };
        const text = (await request('GET', '', { query })).toString('utf8');
        for (const object of xmlTexts(text, 'Contents')) {
          const name = xmlTexts(object, 'Key')[0]?.slice(prefix.length) ?? '';
          if (parseFileName(name) !== undefined) sizes.set(name, Number(xmlTexts(object, 'Size')[0]));
        }
        token = xmlTexts(text, 'NextContinuationToken')[0];
      } while (token !== undefined);
      return sizes;
    },
    read: async (name) => request('GET', prefix + name, { missing: 'undefined' }),
    upload: async (files, done) => {
      for (const file of files) {
        if (file.sizeBytes > PART_BYTES)
          await uploadParts(request, prefix + file.name, file, objectHeaders(file.name));
        else await put(file.name, await readWhole(file));
        done(file);
      }
    },
    replace: put,
    remove: async (names) => {
      for (const name of names) await request('DELETE', prefix + name, { missing: 'undefined' });
    },
  };
}

/** What a web server in front hands on (docs/repository-format.md). */
function objectHeaders(name: string): Readonly<Record<string, string>> {
  return {
    'Content-Type': contentType(name),
    'Cache-Control': name === TIMESTAMP ? 'no-cache' : 'public, max-age=31536000, immutable',
  };
}
