/**
 * Roots and UKIs of releases, by their digest: what new deltas are made from. The repository holds them as full payloads; made again, they are kept in
 * the cache until newer releases take their place.
 */
import { createHash } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheRoot, publish, removeLeftovers, temporaryName } from '../../../builder/cache/directory.ts';
import { fileDigest } from '../../../builder/build/artifacts.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import type { RepositoryFiles } from '../repository/files.ts';
import type { ImageKind, PayloadTools } from './payload-tools.ts';

export interface Images {
  /** The image's path; made from its full payload where the cache has it not. */
  path(kind: ImageKind, manifest: ReleaseManifest): Promise<string>;
  /** Keeps a build's image, for the releases to come. */
  keep(digest: string, path: string): Promise<void>;
  /** Forgets all but these digests. */
  keepOnly(digests: ReadonlySet<string>): Promise<void>;
}

/** By what an image is known: the root hash, or the UKI's SHA-256. */
export function imageDigest(kind: ImageKind, manifest: Pick<ReleaseManifest, 'root' | 'uki'>): string {
  return kind === 'root' ? manifest.root.rootHash : manifest.uki.sha256;
}

/** Where they are kept unless told; `id` tells repositories apart. */
export function imageFolder(id: string): string {
  return join(cacheRoot(), 'release-images', id.slice(0, 32));
}

export function releaseImages(files: RepositoryFiles, folder: string, tools: PayloadTools): Images {
  const making = new Map<string, Promise<string>>();
  const make = async (kind: ImageKind, manifest: ReleaseManifest, final: string): Promise<string> => {
    const content = kind === 'root' ? manifest.root : manifest.uki;
    const payload = join(files.directory, payloadName(content.full.sha256));
    if (!existsSync(payload)) throw damaged(payload, 'is missing');
    await mkdir(folder, { recursive: true });
    await removeLeftovers(folder);
    const temporary = temporaryName(final);
    try {
      await tools.apply(payload, content.full, undefined, temporary);
      if (!(await isImage(kind, temporary, manifest, files))) throw damaged(payload, 'holds something else');
      await publish(temporary, final);
      return final;
    } finally {
      await rm(temporary, { force: true });
    }
  };
  return {
    path: (kind, manifest) => {
      const digest = imageDigest(kind, manifest);
      const final = join(folder, digest);
      if (existsSync(final)) return Promise.resolve(final);
      const started = making.get(digest) ?? make(kind, manifest, final);
      making.set(digest, started);
      return started;
    },
    keep: async (digest, path) => {
      const final = join(folder, digest);
      if (existsSync(final)) return;
      await mkdir(folder, { recursive: true });
      const temporary = temporaryName(final);
      try {
        await copyFile(path, temporary, constants.COPYFILE_FICLONE);
        await publish(temporary, final);
      } finally {
        await rm(temporary, { force: true });
      }
    },
    keepOnly: async (digests) => {
      for (const name of existsSync(folder) ? await readdir(folder) : [])
        if (/^[0-9a-f]{64}$/.test(name) && !digests.has(name)) await rm(join(folder, name), { force: true });
    },
  };
}

/** Whether a file is a release's root or UKI, every byte of it. */
export async function isImage(
  kind: ImageKind,
  path: string,
  manifest: ReleaseManifest,
  files: RepositoryFiles,
): Promise<boolean> {
  if (kind === 'uki') return (await fileDigest(path)) === manifest.uki.sha256;
  const { root } = manifest;
  const list = await files.read(payloadName(root.blockList.sha256));
  if (list === undefined) throw damaged(payloadName(root.blockList.sha256), 'is missing');
  return (await blockDigests(path, root.salt)).equals(list);
}

/** dm-verity's leaf digests of a file, one after another. */
async function blockDigests(path: string, salt: string): Promise<Buffer> {
  const saltBytes = Buffer.from(salt, 'hex');
  const digests: Buffer[] = [];
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1024 * BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return Buffer.concat(digests);
      for (let offset = 0; offset < bytesRead; offset += BLOCK_BYTES) {
        const block = buffer.subarray(offset, Math.min(offset + BLOCK_BYTES, bytesRead));
        digests.push(createHash('sha256').update(saltBytes).update(block).digest());
      }
    }
  } finally {
    await file.close();
  }
}

function damaged(path: string, what: string): SlipwayError {
  return new SlipwayError('repository.damaged', `${path} ${what}`, {
    hint: 'restore it from a copy of the repository; slipway repo verify tells what else is damaged',
  });
}
