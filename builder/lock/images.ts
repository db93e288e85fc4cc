/** The OCI images that services are made of, in the lock. */
import { dirname, relative } from 'node:path';
import type { ImageDefinition } from '../../spec/image.ts';
import { resolveImage } from '../oci/image.ts';
import { parseReference } from '../../oci/reference.ts';
import type { LockedImage, LockFile } from './lock-file.ts';

/** As the services name them (paths absolute), sorted. */
export function imageReferences(image: ImageDefinition): readonly string[] {
  const references = image.services.flatMap(({ root }) => (root.kind === 'image' ? [root.reference] : []));
  return [...new Set(references)].sort();
}

/** As the lock names them: paths from the image definition's folder, so that every checkout has the same lock. */
export function lockedReference(image: ImageDefinition, reference: string): string {
  const parsed = parseReference(reference);
  if (parsed.kind === 'registry') return reference;
  const path = relative(dirname(image.file), parsed.path);
  return path.startsWith('../') ? path : `./${path}`;
}

/** What the lock holds of the image that a service names. */
export function findLockedImage(
  image: ImageDefinition,
  lock: LockFile,
  reference: string,
): LockedImage | undefined {
  const wanted = lockedReference(image, reference);
  return lock.images.find((locked) => locked.reference === wanted);
}

/** Asks registries for what their tags mean today; reads local images. */
export async function resolveImages(image: ImageDefinition): Promise<LockedImage[]> {
  const locked: LockedImage[] = [];
  for (const reference of imageReferences(image)) {
    const options = { architecture: image.architecture, inputs: image.inputs };
    const { digest, sizeBytes } = await resolveImage(reference, options);
    locked.push({ reference: lockedReference(image, reference), digest, sizeBytes });
  }
  return locked;
}
