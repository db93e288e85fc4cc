/** The services whose root is an OCI image: their images, as the lock pins them. */
import type { ImageDefinition } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import { findLockedImage } from '../lock/images.ts';
import type { LockFile } from '../lock/lock-file.ts';
import { openImage, type OciImage } from '../oci/image.ts';
import type { Progress } from '../progress.ts';
import type { Toolbox } from '../tools/toolbox.ts';

export interface ServiceImage extends OciImage {
  /** As the service names it. */
  readonly reference: string;
}

/** By service. Throws `oci.not-locked`, and `oci.changed` where an image is no longer what the lock says. */
export async function openServiceImages(
  image: ImageDefinition,
  lock: LockFile,
  toolbox: Toolbox,
  progress: Progress,
): Promise<ReadonlyMap<string, ServiceImage>> {
  const opened = new Map<string, ServiceImage>();
  for (const { name, root } of image.services) {
    if (root.kind !== 'image') continue;
    const locked = findLockedImage(image, lock, root.reference);
    if (locked === undefined)
      throw new SlipwayError(
        'oci.not-locked',
        `the lock does not hold the image ${root.reference} of ${name}`,
        {
          hint: 'write it anew: slipway lock',
        },
      );
    const found = await openImage(root.reference, {
      architecture: image.architecture,
      inputs: image.inputs,
      component: `service:${name}`,
      digest: locked.digest,
      zstd: () => Promise.resolve(toolbox.command('zstd')),
      progress: (item, done, total) => progress.bytes(item, done, total),
    });
    opened.set(name, { ...found, reference: locked.reference });
  }
  return opened;
}
