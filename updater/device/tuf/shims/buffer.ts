/** The little of Node's Buffer that tuf-js and its models use, for QuickJS. esbuild puts it in the place of the global. */
import { bytesToHex, concatBytes, hexToBytes } from '@noble/hashes/utils.js';
import { decodeUtf8, encodeUtf8 } from '../../../../system/utf8.ts';

export class Buffer extends Uint8Array {
  static override from(
    value: string | ArrayBufferLike | Iterable<number> | ArrayLike<number>,
    encodingOrOffset?: unknown,
    length?: unknown,
  ): Buffer {
    if (typeof value === 'string')
      return view(encodingOrOffset === 'hex' ? hexBytes(value) : encodeUtf8(value));
    if (value instanceof ArrayBuffer)
      return new Buffer(value, Number(encodingOrOffset ?? 0), length as number);
    return view(Uint8Array.from(value as Iterable<number>));
  }

  static concat(parts: readonly Uint8Array[]): Buffer {
    return view(concatBytes(...parts));
  }

  override toString(encoding?: string): string {
    return encoding === 'hex' ? bytesToHex(this) : decodeUtf8(this);
  }

  readUInt32BE(offset = 0): number {
    return new DataView(this.buffer, this.byteOffset).getUint32(offset);
  }
}

function view(bytes: Uint8Array): Buffer {
  return new Buffer(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
}

/** Like Node: up to the first pair that is no hexadecimal digits. */
function hexBytes(text: string): Uint8Array {
  const good = /^(?:[0-9a-fA-F]{2})*/.exec(text)?.[0] ?? '';
  return hexToBytes(good);
}
