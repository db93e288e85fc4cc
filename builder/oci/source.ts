/** An image as its parts in files, wherever it came from. */
import { readFile, stat } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import {
  MAX_DOCUMENT_BYTES,
  choosePlatform,
  parseImageConfig,
  parseIndexOrManifest,
  type Descriptor,
} from '../../oci/manifest.ts';
import { sha256Digest } from './digest.ts';

export interface ImageLayer {
  /** The layer's tar, perhaps compressed. */
  readonly path: string;
  /** Of the file as it is; `undefined` where only `diffId` says what it must be (docker-archive). */
  readonly digest?: string;
  /** Of the uncompressed tar. */
  readonly diffId: string;
  readonly sizeBytes: number;
}

export interface ImageParts {
  /** Of the manifest; of the configuration where there is none (docker-archive). */
  readonly digest: string;
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
}

/** Gives a blob as a file. What it gives is checked by the caller (documents) or while it is unpacked (layers). */
export type BlobFile = (descriptor: Descriptor) => Promise<string>;

/** An index inside an index is allowed; deeper is nobody's image. */
const MAX_INDEX_DEPTH = 3;

/** From a top document (index or manifest) to the parts of the image for one architecture; every document against its digest. */
export async function resolveParts(
  top: Uint8Array,
  blob: BlobFile,
  architecture: Architecture,
  where: string,
): Promise<ImageParts> {
  let bytes = top;
  for (let depth = 0; ; depth++) {
    const document = parseIndexOrManifest(textOf(bytes), where);
    if (document.kind === 'manifest') {
      const { manifest } = document;
      const config = parseImageConfig(textOf(await readDocument(manifest.config, blob, where)), where);
      checkConfig(config, manifest.layers.length, architecture, where);
      const layers: ImageLayer[] = [];
      for (const [place, layer] of manifest.layers.entries()) {
        const diffId = config.diffIds[place] ?? '';
        layers.push({ path: await blob(layer), digest: layer.digest, diffId, sizeBytes: layer.size });
      }
      return { digest: sha256Digest(bytes), config, layers };
    }
    if (depth === MAX_INDEX_DEPTH)
      throw new SlipwayError('oci.invalid', `${where}: indexes are nested too deep`);
    bytes = await readDocument(choosePlatform(document.manifests, architecture, where), blob, where);
  }
}

/** A layer list that fits the configuration, for a machine of this kind. */
export function checkConfig(
  config: ImageConfig,
  layers: number,
  architecture: Architecture,
  where: string,
): void {
  if (config.os !== 'linux' || config.architecture !== architecture) {
    throw new SlipwayError(
      'oci.platform',
      `${where} is for ${config.os}/${config.architecture}, the machine is linux/${architecture}`,
    );
  }
  if (config.diffIds.length !== layers) {
    throw new SlipwayError(
      'oci.invalid',
      `${where}: ${layers} layers, but rootfs.diff_ids of ${config.diffIds.length}`,
    );
  }
}

async function readDocument(descriptor: Descriptor, blob: BlobFile, where: string): Promise<Uint8Array> {
  if (descriptor.size > MAX_DOCUMENT_BYTES) {
    throw new SlipwayError('oci.invalid', `${where}: ${descriptor.digest} is too large for a document`);
  }
  const path = await blob(descriptor);
  const { size } = await stat(path);
  const bytes = size === descriptor.size ? await readFile(path) : undefined;
  if (bytes === undefined || sha256Digest(bytes) !== descriptor.digest) {
    throw new SlipwayError('oci.digest', `${where}: ${descriptor.digest} is not what its digest says`);
  }
  return bytes;
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}
