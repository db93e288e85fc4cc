/** An image on the workstation's disk, read piece by piece: two of them are larger than memory should be. */
import { open } from 'node:fs/promises';
import type { Extent } from '../../payload/operation.ts';

export interface ImageFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Exactly these bytes. Throws where the file is shorter. */
  readonly read: (extent: Extent) => Promise<Buffer>;
}

export async function withImage<T>(path: string, work: (image: ImageFile) => Promise<T>): Promise<T> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await work({
      path,
      sizeBytes: size,
      read: async ({ offset, sizeBytes }) => {
        const buffer = Buffer.allocUnsafe(sizeBytes);
        for (let done = 0; done < sizeBytes;) {
          const { bytesRead } = await file.read(buffer, done, sizeBytes - done, offset + done);
          if (bytesRead === 0) throw new Error(`${path} ends before byte ${offset + sizeBytes}`);
          done += bytesRead;
        }
        return buffer;
      },
    });
  } finally {
    await file.close();
  }
}

/** The image from its start to its end. */
export async function* pieces(
  image: ImageFile,
  pieceBytes: number,
): AsyncGenerator<{ offset: number; bytes: Buffer }> {
  for (let offset = 0; offset < image.sizeBytes; offset += pieceBytes) {
    const sizeBytes = Math.min(pieceBytes, image.sizeBytes - offset);
    yield { offset, bytes: await image.read({ offset, sizeBytes }) };
  }
}
