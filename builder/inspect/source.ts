/** Bytes of a file, or of a part of one, that are read when they are needed. */
import { open } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';

export interface ByteSource {
  readonly sizeBytes: number;
  /** Exactly `length` bytes; throws `inspect.truncated` where there are fewer. */
  read(offset: number, length: number): Promise<Buffer>;
}

/** Opens a file for the time that `use` takes. */
export async function withFile<T>(path: string, use: (source: ByteSource) => Promise<T>): Promise<T> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new SlipwayError('inspect.unreadable', `cannot open ${path}`, { cause });
  });
  try {
    const { size } = await file.stat();
    return await use({
      sizeBytes: size,
      read: async (offset, length) => {
        if (!isWithin(offset, length, size)) throw truncated();
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
        if (bytesRead !== length) throw truncated();
        return buffer;
      },
    });
  } finally {
    await file.close();
  }
}

/** A part of a source as a source of its own. */
export function partOf(source: ByteSource, offset: number, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    read: (at, length) => {
      if (!isWithin(at, length, sizeBytes)) return Promise.reject(truncated());
      return source.read(offset + at, length);
    },
  };
}

export function sourceOf(bytes: Uint8Array): ByteSource {
  return {
    sizeBytes: bytes.length,
    read: (offset, length) => {
      if (!isWithin(offset, length, bytes.length)) return Promise.reject(truncated());
      return Promise.resolve(Buffer.from(bytes.subarray(offset, offset + length)));
    },
  };
}

function isWithin(offset: number, length: number, size: number): boolean {
  return offset >= 0 && length >= 0 && offset + length <= size;
}

function truncated(): SlipwayError {
  return new SlipwayError('inspect.truncated', 'it is damaged: something in it points behind its end');
}
