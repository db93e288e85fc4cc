/** Bounded reading of files that the kernel, the firmware or an operator filled. */
import { SlipwayError } from '../../../spec/error.ts';
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';
import type { Documents } from './found.ts';

/** One document. */
export const DOCUMENT_LIMIT_BYTES = 1024 * 1024;

/** `undefined` where there is none. Throws `provision.too-large`. */
export function readDocument(system: System, path: string): Uint8Array | undefined {
  const fd = system.open(path, { access: 'read' });
  if (fd < 0) return undefined;
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    for (;;) {
      // Of fw_cfg the kernel reads from the beginning again for each piece: few and large ones.
      const bytes = system.read(fd, 65_536);
      if (!(bytes instanceof Uint8Array)) return undefined;
      if (bytes.length === 0) return concatenate(chunks);
      total += bytes.length;
      if (total > DOCUMENT_LIMIT_BYTES)
        throw new SlipwayError('provision.too-large', `${path} is larger than 1 MiB`);
      chunks.push(bytes);
    }
  } finally {
    system.close(fd);
  }
}

/** NoCloud's four, each where `pathOf` says; `undefined` where there is none of them. Throws `provision.too-large`. */
export function readDocuments(system: System, pathOf: (name: string) => string): Documents | undefined {
  const read = (name: string): Uint8Array | undefined => readDocument(system, pathOf(name));
  const documents: Documents = present({
    userData: read('user-data'),
    rawMetaData: read('meta-data'),
    vendorData: read('vendor-data'),
    networkConfig: read('network-config'),
  });
  return Object.keys(documents).length === 0 ? undefined : documents;
}

/** Only what is there: optional fields stay away. */
export function present<Value extends object>(
  value: Value,
): {
  [Key in keyof Value]?: Exclude<Value[Key], undefined>;
} {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [Key in keyof Value]?: Exclude<Value[Key], undefined>;
  };
}
