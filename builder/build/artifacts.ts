import { createHash } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifact } from './manifest.ts';

/** Sizes and SHA-256 of files that stand in the output directory. */
export async function describeArtifacts(output: string, names: readonly string[]): Promise<Artifact[]> {
  return Promise.all(
    names.map(async (name) => {
      const path = join(output, name);
      return { name, sizeBytes: (await stat(path)).size, sha256: await fileDigest(path) };
    }),
  );
}

/** SHA-256 of a file, hexadecimal. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.allocUnsafe(4 * 1024 * 1024);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}
