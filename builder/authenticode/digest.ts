/** The Authenticode digest of a PE image ("Windows Authenticode Portable Executable Signature Format", Microsoft, 2008). */
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../spec/error.ts';
import { parsePe, type PeImage } from '../pe/parse.ts';

/**
 * SHA-256 over the file without its checksum, without the directory entry of its signatures, and without the signatures. A file without
 * signatures is hashed with zeros up to the next 8 bytes, which is where the signer puts the first one.
 *
 * The specification hashes headers and sections one by one, which is the same where there is nothing between them. Anything else is
 * refused (`pe.gap`): bytes that no signature covers have no place in what is booted.
 */
export function authenticodeDigest(image: Uint8Array): Uint8Array {
  const pe = parsePe(image);
  checkGaps(pe);
  const end = pe.security?.offset ?? image.length;
  const hash = createHash('sha256');
  hash.update(image.subarray(0, pe.checksumOffset));
  hash.update(image.subarray(pe.checksumOffset + 4, pe.securityEntryOffset));
  hash.update(image.subarray(pe.securityEntryOffset + 8, end));
  hash.update(new Uint8Array((8 - (end % 8)) % 8));
  if (pe.security !== undefined) hash.update(image.subarray(pe.security.offset + pe.security.size));
  return hash.digest();
}

function checkGaps(pe: PeImage): void {
  const sections = pe.sections.filter((section) => section.rawSize > 0);
  let end = pe.sizeOfHeaders;
  for (const section of [...sections].sort((a, b) => a.rawOffset - b.rawOffset)) {
    if (section.rawOffset !== end) {
      throw new SlipwayError(
        'pe.gap',
        `the PE image's section ${section.name} starts at ${section.rawOffset}, not at ${end} where the part before it ends`,
      );
    }
    end = section.rawOffset + section.rawSize;
  }
}
