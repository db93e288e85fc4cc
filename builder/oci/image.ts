/** An OCI image as a service's root file system: from whatever `image` names to a list of entries. */
import { stat } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';
import { diskFull, isDiskFull } from '../debian/disk-full.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { openArchive } from './archive.ts';
import { flattenLayers } from './flatten.ts';
import type { ImageConfig } from '../../oci/image-config.ts';
import { openLayer } from './layer.ts';
import { openLayout } from './layout.ts';
import { parseReference } from '../../oci/reference.ts';
import { openRegistryImage, type RegistryOptions } from './registry.ts';
import type { ImageParts } from './source.ts';

export interface OciImage {
  /** Of the manifest, `sha256:...`; of the configuration for a docker-archive, which has no manifest. */
  readonly digest: string;
  readonly config: ImageConfig;
  /** Sorted by path, parents first. */
  readonly entries: readonly TreeEntry[];
  /** Of its layers as they are stored. */
  readonly sizeBytes: number;
}

/** `digest`: what the lock says; another one is an error. */
export interface ImageOptions extends RegistryOptions {
  /** What its entries count under, `service:<name>`. */
  readonly component: string;
  /** argv prefix of zstd, asked for where a layer needs it. */
  readonly zstd: () => Promise<readonly string[]>;
}

/** `reference`: a registry reference, or the absolute path of an OCI layout folder or docker-archive. Throws SlipwayError `oci.*`. */
export async function openImage(reference: string, options: ImageOptions): Promise<OciImage> {
  return tellingDiskFull(() => openAnyImage(reference, options));
}

async function openAnyImage(reference: string, options: ImageOptions): Promise<OciImage> {
  const parts = await openParts(reference, options);
  const { digest, config } = parts;
  if (options.digest !== undefined && options.digest !== digest) {
    throw new SlipwayError(
      'oci.changed',
      `image ${reference} is ${digest}, the lock says ${options.digest}`,
      {
        hint: 'if the change is meant: slipway lock',
      },
    );
  }
  const layers = [];
  for (const layer of parts.layers) layers.push(await openLayer(layer, options.zstd));
  const entries = flattenLayers(layers, options.component);
  return { digest, config, entries, sizeBytes: sizeOf(parts) };
}

/** What the lock holds of an image, without unpacking it (but a registry's layers come into the cache). */
export async function resolveImage(
  reference: string,
  options: RegistryOptions,
): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const parts = await tellingDiskFull(() => openParts(reference, options));
  return { digest: parts.digest, sizeBytes: sizeOf(parts) };
}

async function openParts(reference: string, options: RegistryOptions): Promise<ImageParts> {
  const parsed = parseReference(reference);
  if (parsed.kind === 'registry') return openRegistryImage(parsed, options);
  const status = await stat(parsed.path).catch((error: unknown) => {
    throw new SlipwayError('oci.not-found', `${parsed.path}: there is no such image`, { cause: error });
  });
  const openPath = status.isDirectory() ? openLayout : openArchive;
  return openPath(parsed.path, options.architecture);
}

async function tellingDiskFull<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isDiskFull(error) ? diskFull() : error;
  }
}

function sizeOf(parts: ImageParts): number {
  return parts.layers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
