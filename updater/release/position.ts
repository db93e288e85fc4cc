/** Where a machine stands in the queue for a release: salted by the release, so that no machine is always first. */
import { sha256 } from '@noble/hashes/sha2.js';

/** `u`, 0 <= u < 1: the first 53 bits of SHA-256(release id, newline, host id), over 2^53. The release id is the name of its target. */
export function position(releaseId: string, hostId: string): number {
  const digest = sha256(ascii(`${releaseId}\n${hostId}`));
  let bits = 0;
  for (const byte of digest.subarray(0, 6)) bits = bits * 256 + byte;
  // 48 bits, and the upper five of the next byte.
  return (bits * 32 + ((digest[6] ?? 0) >> 3)) / 2 ** 53;
}

function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => {
    const code = character.charCodeAt(0);
    if (code > 0x7f) throw new RangeError('ids are ASCII');
    return code;
  });
}
