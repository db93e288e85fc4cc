/** An image as its parts, wherever it comes from: every document against its digest (image-spec manifest.md, image-index.md). */
import {
  MAX_DOCUMENT_BYTES,
  choosePlatform,
  parseImageConfig,
  parseIndexOrManifest,
  type Descriptor,
} from '../../../../oci/manifest.ts';
import type { ImageConfig } from '../../../../oci/image-config.ts';
import { SlipwayError } from '../../../../spec/error.ts';
import type { Architecture } from '../../../../spec/image.ts';
import type { System } from '../../../../system/system.ts';
import { digestOf, readRange } from './bytes.ts';
import type { FileRange } from './tar.ts';

export interface ImageParts {
  /** Digest of the configuration: what Docker calls the image's id. The same image has the same one, wherever it comes from. */
  readonly id: string;
  readonly config: ImageConfig;
  readonly layers: readonly LayerPart[];
}

export interface LayerPart {
  /** Of the uncompressed tar. */
  readonly diffId: string;
  /** As it is stored, checked against its own digest where it has one. */
  readonly fetch: () => Promise<FileRange>;
}

/** Gives a blob as a file; what a descriptor says of it is checked by whoever gives it. */
export type BlobSource = (descriptor: Descriptor) => Promise<FileRange>;

/** An index inside an index is allowed; deeper is nobody's image. */
const MAX_INDEX_DEPTH = 3;
/** An overlay of ours has all of them in one directory, so only sanity bounds this. */
const MAX_LAYERS = 250;

export async function imageParts(
  system: System,
  top: string,
  blob: BlobSource,
  architecture: Architecture,
  where: string,
): Promise<ImageParts> {
  const document = async (descriptor: Descriptor): Promise<string> => {
    if (descriptor.size > MAX_DOCUMENT_BYTES)
      throw new SlipwayError('oci.invalid', `${where}: ${descriptor.digest} is too large for a document`);
    return readRange(system, await blob(descriptor));
  };
  let text = top;
  for (let depth = 0; ; depth++) {
    const parsed = parseIndexOrManifest(text, where);
    if (parsed.kind === 'manifest') {
      const { manifest } = parsed;
      const config = parseImageConfig(await document(manifest.config), where);
      checkConfig(config, manifest.layers.length, architecture, where);
      const layers = manifest.layers.map((layer, place) => ({
        diffId: config.diffIds[place] ?? '',
        fetch: () => blob(layer),
      }));
      return { id: manifest.config.digest, config, layers };
    }
    if (depth === MAX_INDEX_DEPTH)
      throw new SlipwayError('oci.invalid', `${where}: indexes are nested too deep`);
    text = await document(choosePlatform(parsed.manifests, architecture, where));
  }
}

/** Throws unless the file is what its digest says. */
export async function demandDigest(
  system: System,
  range: FileRange,
  digest: string,
  where: string,
): Promise<void> {
  if ((await digestOf(system, range)) === digest) return;
  throw new SlipwayError('oci.digest', `${where}: ${digest} is not what its digest says`, {
    hint: 'the image is damaged, or was changed on the way',
  });
}

export function checkConfig(
  config: ImageConfig,
  layers: number,
  architecture: Architecture,
  where: string,
): void {
  if (config.os !== 'linux' || config.architecture !== architecture) {
    const message = `${where} is for ${config.os}/${config.architecture}, the machine is linux/${architecture}`;
    throw new SlipwayError('oci.platform', message);
  }
  if (config.diffIds.length !== layers || layers > MAX_LAYERS)
    throw new SlipwayError(
      'oci.invalid',
      `${where}: ${layers} layers, rootfs.diff_ids of ${config.diffIds.length}`,
    );
}
