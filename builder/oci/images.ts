/** The OCI images of an image definition: what its lock holds of them, and the roots that they give. */
import { dirname, isAbsolute, relative, resolve } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { ImageDefinition } from '../../spec/image.ts';
import type { LockedImage } from '../lock/lock-file.ts';
import { openImage, resolveImage, type OciImage } from './image.ts';
import type { RegistryOptions } from './registry.ts';

export interface ImagesOptions {
  readonly zstd: () => Promise<readonly string[]>;
  readonly progress?: RegistryOptions['progress'];
}

/** References as a lock names them, each once, sorted: a path is relative to the image definition, so that a lock fits every checkout. */
export function imageReferences(image: ImageDefinition): readonly string[] {
  const references = image.services.flatMap(({ root }) =>
    root.kind === 'image' ? [lockReference(root.reference, image)] : [],
  );
  return [...new Set(references)].sort();
}

/** The newest of each image. Registry images come into the cache. */
export async function lockImages(
  image: ImageDefinition,
  options: Pick<ImagesOptions, 'progress'> = {},
): Promise<LockedImage[]> {
  const locked: LockedImage[] = [];
  for (const reference of imageReferences(image)) {
    const resolved = await resolveImage(openReference(reference, image), registryOptions(image, options));
    locked.push({ reference, ...resolved });
  }
  return locked;
}

/** By service. Throws `oci.not-locked` or `oci.changed` where the lock does not fit. */
export async function openImages(
  image: ImageDefinition,
  locked: readonly LockedImage[],
  options: ImagesOptions,
): Promise<ReadonlyMap<string, OciImage & { readonly reference: string }>> {
  const opened = new Map<string, OciImage & { readonly reference: string }>();
  for (const { name, root } of image.services) {
    if (root.kind !== 'image') continue;
    const reference = lockReference(root.reference, image);
    const entry = locked.find((item) => item.reference === reference);
    if (entry === undefined) {
      throw new SlipwayError(
        'oci.not-locked',
        `service ${name}: the lock does not hold the image ${reference}`,
        {
          hint: 'write it anew: slipway lock',
        },
      );
    }
    const oci = await openImage(openReference(reference, image), {
      ...registryOptions(image, options),
      component: `service:${name}`,
      zstd: options.zstd,
      digest: entry.digest,
    });
    opened.set(name, { ...oci, reference });
  }
  return opened;
}

function registryOptions(
  image: ImageDefinition,
  { progress }: Pick<ImagesOptions, 'progress'>,
): RegistryOptions {
  return {
    architecture: image.architecture,
    inputs: image.inputs,
    ...(progress === undefined ? {} : { progress }),
  };
}

function lockReference(reference: string, image: ImageDefinition): string {
  if (!isAbsolute(reference)) return reference;
  const path = relative(dirname(image.file), reference);
  return path.startsWith('.') ? path : `./${path}`;
}

function openReference(reference: string, image: ImageDefinition): string {
  return reference.startsWith('.') ? resolve(dirname(image.file), reference) : reference;
}
