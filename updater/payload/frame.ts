/** The head of a zstd frame (RFC 8878, 3.1.1.1), looked at before a decompressor is. */
import { SlipwayError } from '../../spec/error.ts';

/** zstd's magic number, little-endian. */
const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/** Throws `payload.frame` unless `blob` begins with a frame that says it holds `contentBytes`, needs no larger window than that, and no dictionary. */
export function checkFrame(blob: Uint8Array, contentBytes: number): void {
  MAGIC.forEach((byte, index) => {
    if (blob[index] !== byte) throw fault('is not a zstd frame');
  });
  const descriptor = blob[4] ?? 0;
  // Single segment: the content is the window, so memory is bounded by what the header of the payload said.
  if ((descriptor & 0x20) === 0) throw fault('states no single segment');
  if ((descriptor & 0x0b) !== 0) throw fault('needs a dictionary, or what is reserved');
  const code = descriptor >> 6;
  const sizeBytes = 2 ** code;
  let stated = code === 1 ? 256 : 0;
  for (let index = 0; index < sizeBytes; index += 1) stated += (blob[5 + index] ?? 0) * 256 ** index;
  if (blob.length < 5 + sizeBytes || stated !== contentBytes)
    throw fault(`holds ${stated} bytes instead of ${contentBytes}`);
}

function fault(message: string): SlipwayError {
  return new SlipwayError('payload.frame', `a blob of a payload ${message}`);
}
