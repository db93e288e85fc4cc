import type { TreeEntry } from '../tree/entry.ts';
import { writeCpio } from './cpio.ts';

/**
 * The initrd: an uncompressed cpio archive. Uncompressed, because the UKI travels as one zstd stream with the root, which then
 * carries what both hold once, and because nothing is decompressed at boot.
 */
export function makeInitrd(options: { readonly files: readonly TreeEntry[] }): Uint8Array {
  return writeCpio(options.files);
}
