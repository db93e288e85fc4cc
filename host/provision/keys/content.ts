/** Content with an encoding, of `write_files` and `random_seed`: decoded here, but for what is packed, which takes a program. */
import { decodeBase64, encodeBase64 } from '../../../spec/base64.ts';
import type { LocatedScalar, Position } from '../../../spec/located.ts';
import { own } from '../../../spec/own.ts';
import type { At, Bytes } from '../config.ts';
import { placeOf } from '../config.ts';
import { decodeUtf8, encodeUtf8 } from '../../../system/utf8.ts';
import { fault, mismatch, type Reader } from './reader.ts';
import type { Shape } from './shape.ts';

/** What `encoding` may say, and what it means: base64, then gzip. */
export const ENCODINGS: Readonly<Record<string, { readonly base64: boolean; readonly gzip: boolean }>> = {
  'text/plain': { base64: false, gzip: false },
  raw: { base64: false, gzip: false },
  b64: { base64: true, gzip: false },
  base64: { base64: true, gzip: false },
  gz: { base64: false, gzip: true },
  gzip: { base64: false, gzip: true },
  'gz+b64': { base64: true, gzip: true },
  'gz+base64': { base64: true, gzip: true },
  'gzip+b64': { base64: true, gzip: true },
  'gzip+base64': { base64: true, gzip: true },
};

/** Content that gzip packed: unpacked once everything is read. */
export interface Packed {
  readonly bytes: Uint8Array;
  readonly at: Position;
}

/** A text as written, or the bytes of a `!!binary` one. */
export const content: Shape<LocatedScalar> = {
  type: 'text',
  read: (node, reader) => {
    if (node.kind !== 'scalar' || node.value === null) return mismatch(reader, node, 'a text');
    if (typeof node.value === 'string') return node;
    const hint = 'YAML reads this as something else: write it in quotes, or after `content: |`';
    return mismatch(reader, node, 'a text', hint);
  },
};

/** The content, or `packed` when it is gzip, whose bytes are then in `packed`. Secret. */
export function decodeContent(
  node: LocatedScalar,
  encoding: string,
  reader: Reader,
  packed: Map<At<Bytes>, Packed>,
): At<Bytes> | undefined {
  const { base64, gzip } = own(ENCODINGS, encoding) ?? { base64: false, gzip: false };
  const asWritten = node.binary === true ? decodeBase64(node.text) : undefined;
  if (node.binary === true && asWritten === undefined) return noBase64(node, reader);
  if (!base64 && !gzip && asWritten === undefined) return secret(node, { text: node.text });
  const written = base64
    ? decodeBase64(asWritten === undefined ? node.text : decodeUtf8(asWritten))
    : (asWritten ?? encodeUtf8(node.text));
  if (written === undefined) return noBase64(node, reader);
  if (!gzip) return secret(node, asBytes(written));
  if (written[0] !== 0x1f || written[1] !== 0x8b) {
    const hint = base64 ? undefined : "packed bytes are no text: write `encoding: gz+base64`, or '!!binary'";
    return fault(reader, node.at, 'content', 'the content is not packed with gzip', hint);
  }
  const place: At<Bytes> = secret(node, { base64: '' });
  packed.set(place, { bytes: written, at: node.at });
  return place;
}

/** As text where it is UTF-8, which plans and people read better. */
export function asBytes(bytes: Uint8Array): Bytes {
  const text = decodeUtf8(bytes);
  const same = !text.includes('\ufffd') && !text.includes('\0');
  return same ? { text } : { base64: encodeBase64(bytes) };
}

function noBase64(node: LocatedScalar, reader: Reader): undefined {
  return fault(reader, node.at, 'content', 'the content is no base64');
}

function secret(node: LocatedScalar, value: Bytes): At<Bytes> {
  return { value, at: placeOf(node.at), secret: true };
}
