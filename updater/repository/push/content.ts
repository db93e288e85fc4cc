/** A file as it is sent. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { SlipwayError } from '../../../spec/error.ts';
import type { LocalFile } from './target.ts';

/** Content-addressed names carry their digest: a file that changed on this disk never goes out under it. Throws `push.damaged`. */
export async function readWhole({ name, path }: LocalFile): Promise<Buffer> {
  const bytes = await readFile(path);
  const named = /^([0-9a-f]{64})\./.exec(name)?.[1];
  if (named !== undefined && createHash('sha256').update(bytes).digest('hex') !== named)
    throw new SlipwayError('push.damaged', `${path} is damaged: its digest is not that of its name`, {
      hint: 'slipway repo verify',
    });
  return bytes;
}

export function contentType(name: string): string {
  return name.endsWith('.json') ? 'application/json' : 'application/octet-stream';
}
