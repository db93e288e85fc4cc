/** The header of a payload, read and written. Reading refuses everything that is not exactly what the writer makes. */
import { SlipwayError } from '../../spec/error.ts';
import { bytesOfHex, byteReader, hexOf, writeNumber, writeSigned, type ByteReader } from './bytes.ts';
import { LIMITS } from './limits.ts';
import type { Blob, Extent, Operation, PayloadHeader } from './operation.ts';

/** `SLIPWAY` and the major version. */
const MAGIC = [0x53, 0x4c, 0x49, 0x50, 0x57, 0x41, 0x59, 0x01];
const DIGEST_BYTES = 32;
const KINDS = ['zero', 'copy', 'full', 'patch'] as const;

/** What is known of a payload from elsewhere (the release's manifest). */
export interface PayloadExpectation {
  readonly payloadBytes?: number;
  readonly targetBytes?: number;
  /** 0: it must be a full payload. */
  readonly sourceBytes?: number;
}

/**
 * The header in `bytes`, which hold it and nothing else. Every offset and size in the result lies within its image, and the operations make the whole
 * target in order. Throws `payload.header`.
 */
export function parseHeader(bytes: Uint8Array, expected: PayloadExpectation = {}): PayloadHeader {
  if (bytes.length > LIMITS.headerBytes)
    throw fault(`it has ${bytes.length} bytes, more than ${LIMITS.headerBytes}`);
  const reader = byteReader(bytes, fault);
  for (const byte of MAGIC) if (reader.byte() !== byte) throw fault('it is none, or of another version');
  const blockBytes = 2 ** reader.number('block size', Math.log2(LIMITS.blockBytes));
  const targetBytes = reader.number('target size', LIMITS.imageBytes);
  const sourceBytes = reader.number('source size', LIMITS.imageBytes);
  const count = reader.number('number of operations', LIMITS.operations);
  const target: Image = { sizeBytes: targetBytes, blockBytes };
  const source: Image = { sizeBytes: sourceBytes, blockBytes };
  const cursors: Cursors = { target: 0, source: 0, blob: bytes.length };
  const operations: Operation[] = [];
  for (let index = 0; index < count; index += 1)
    operations.push(readOperation(reader, target, source, cursors));
  if (!reader.done()) throw fault(`${bytes.length - reader.position()} bytes follow its last operation`);
  if (cursors.target !== blocks(target)) throw fault('its operations do not make the whole target');
  const header = {
    blockBytes,
    targetBytes,
    sourceBytes,
    operations,
    headerBytes: bytes.length,
    payloadBytes: cursors.blob,
  };
  for (const key of ['payloadBytes', 'targetBytes', 'sourceBytes'] as const) {
    const known = expected[key];
    if (known !== undefined && known !== header[key])
      throw fault(`its ${key} is ${header[key]}, the release says ${known}`);
  }
  return header;
}

/** Operations that follow one another, as `parseHeader` gives them; where the blobs lie comes from their sizes. */
export function encodeHeader(
  header: Pick<PayloadHeader, 'blockBytes' | 'targetBytes' | 'sourceBytes'> & {
    readonly operations: readonly EncodableOperation[];
  },
): Uint8Array {
  const { blockBytes } = header;
  const output = [...MAGIC, Math.log2(blockBytes)];
  for (const value of [header.targetBytes, header.sourceBytes, header.operations.length])
    writeNumber(output, value);
  let cursor = 0;
  const writeSource = (offset: number, length: number): void => {
    writeSigned(output, offset / blockBytes - cursor);
    cursor = offset / blockBytes + length;
  };
  for (const operation of header.operations) {
    const length = Math.ceil(operation.target.sizeBytes / blockBytes);
    writeNumber(output, length * 4 + KINDS.indexOf(operation.kind));
    if (operation.kind === 'copy') writeSource(operation.sourceOffset, length);
    if (operation.kind === 'patch') {
      writeNumber(output, operation.extents.length);
      for (const extent of operation.extents) {
        const size = Math.ceil(extent.sizeBytes / blockBytes);
        writeSource(extent.offset, size);
        writeNumber(output, size);
      }
      writeNumber(output, operation.blob.contentBytes);
    }
    if (operation.kind === 'full' || operation.kind === 'patch') {
      writeNumber(output, operation.blob.storedBytes);
      output.push(...bytesOfHex(operation.blob.sha256));
    }
    if (operation.kind === 'patch') output.push(...bytesOfHex(operation.resultSha256));
  }
  return Uint8Array.from(output);
}

/** An operation before its blob has a place. */
export type EncodableOperation = Operation extends infer Each
  ? Each extends { readonly blob: Blob }
    ? Omit<Each, 'blob'> & { readonly blob: Omit<Blob, 'offset'> }
    : Each
  : never;

interface Image {
  readonly sizeBytes: number;
  readonly blockBytes: number;
}

/** Where the next operation's target, source (for the shortest numbers: it mostly goes on from the last) and blob begin; blocks, blocks, bytes. */
interface Cursors {
  target: number;
  source: number;
  blob: number;
}

function readOperation(reader: ByteReader, target: Image, source: Image, cursors: Cursors): Operation {
  const tag = reader.number('length of an operation', 4 * blocks(target) + 3);
  const length = Math.floor(tag / 4);
  const made = extent(target, cursors.target, length, 'target');
  cursors.target += length;
  switch (KINDS[tag % 4] ?? 'zero') {
    case 'zero':
      return { kind: 'zero', target: made };
    case 'copy': {
      const from = readSource(reader, source, cursors, length);
      if (from.sizeBytes < made.sizeBytes) throw fault('it copies from behind the end of the source');
      return { kind: 'copy', target: made, sourceOffset: from.offset };
    }
    case 'full':
      checkResult(made);
      return { kind: 'full', target: made, blob: readBlob(reader, cursors, made.sizeBytes) };
    case 'patch': {
      checkResult(made);
      const extents = readExtents(reader, source, cursors);
      const contentBytes = reader.number('size of a patch', LIMITS.patchBytes);
      const blob = readBlob(reader, cursors, contentBytes);
      return { kind: 'patch', target: made, blob, extents, resultSha256: hexOf(reader.bytes(DIGEST_BYTES)) };
    }
  }
}

function readExtents(reader: ByteReader, source: Image, cursors: Cursors): readonly Extent[] {
  const count = reader.number('number of extents', LIMITS.extents);
  const extents = Array.from({ length: count }, () => readSource(reader, source, cursors, undefined));
  const windowBytes = extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (windowBytes > LIMITS.windowBytes)
    throw fault(`a patch needs ${windowBytes} old bytes, more than ${LIMITS.windowBytes}`);
  return extents;
}

/** A place in the old image, counted from where the last one ended; then its length, unless that is known. */
function readSource(reader: ByteReader, source: Image, cursors: Cursors, known: number | undefined): Extent {
  const start = cursors.source + reader.signed('place in the source', LIMITS.imageBytes);
  const length = known ?? reader.number('length of an extent', blocks(source));
  cursors.source = start + length;
  return extent(source, start, length, 'source');
}

function readBlob(reader: ByteReader, cursors: Cursors, contentBytes: number): Blob {
  const storedBytes = reader.number('size of a blob', LIMITS.storedBytes);
  if (storedBytes === 0) throw fault('a blob is empty');
  const offset = cursors.blob;
  cursors.blob += storedBytes;
  return { offset, storedBytes, sha256: hexOf(reader.bytes(DIGEST_BYTES)), contentBytes };
}

function extent({ sizeBytes, blockBytes }: Image, start: number, length: number, what: string): Extent {
  if (length === 0) throw fault(`an extent of the ${what} is empty`);
  if (start < 0 || start + length > blocks({ sizeBytes, blockBytes }))
    throw fault(`an extent lies outside the ${what}`);
  const offset = start * blockBytes;
  return { offset, sizeBytes: Math.min(length * blockBytes, sizeBytes - offset) };
}

function checkResult({ sizeBytes }: Extent): void {
  if (sizeBytes > LIMITS.resultBytes)
    throw fault(`an operation makes ${sizeBytes} bytes, more than ${LIMITS.resultBytes}`);
}

function blocks({ sizeBytes, blockBytes }: Image): number {
  return Math.ceil(sizeBytes / blockBytes);
}

function fault(message: string): SlipwayError {
  return new SlipwayError('payload.header', `the header of a payload is refused: ${message}`);
}
