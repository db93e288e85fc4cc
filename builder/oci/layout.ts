/** An OCI image layout: a folder with `oci-layout`, `index.json` and `blobs/` (image-spec image-layout.md). */
import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { resolveParts, type ImageParts } from './source.ts';

export async function openLayout(folder: string, architecture: Architecture): Promise<ImageParts> {
  const top = await readFile(join(folder, 'index.json')).catch((error: unknown) => {
    throw new SlipwayError('oci.not-found', `${folder}: no OCI image layout (index.json is missing)`, {
      cause: error,
      hint: '`image:` may be a folder in OCI layout, a docker-archive (.tar), or a registry reference',
    });
  });
  return resolveParts(top, async ({ digest }) => blobPath(folder, digest), architecture, folder);
}

/** A link out of the folder would read what the layout does not hold. */
async function blobPath(folder: string, digest: string): Promise<string> {
  const path = join(folder, 'blobs', ...digest.split(':'));
  const status = await lstat(path).catch(() => undefined);
  if (status?.isFile() !== true)
    throw new SlipwayError('oci.not-found', `${folder}: blob ${digest} is missing`);
  return path;
}
