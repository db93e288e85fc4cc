/** Header and blobs -> a payload file. */
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { publish, temporaryName } from '../../../builder/cache/directory.ts';
import { encodeHeader, parseHeader, type EncodableOperation } from '../../payload/header.ts';
import type { PayloadReference } from '../../release/document.ts';

/** An operation with its blob's bytes, if it has one. */
export interface MadeOperation {
  readonly operation: EncodableOperation;
  readonly blob?: Uint8Array;
}

export interface PayloadContent {
  readonly blockBytes: number;
  readonly targetBytes: number;
  readonly sourceBytes: number;
  readonly operations: readonly MadeOperation[];
}

/** Writes `output` as a whole or not at all. Throws `payload.header` for what exceeds a limit. */
export async function writePayload(content: PayloadContent, output: string): Promise<PayloadReference> {
  const header = encodeHeader({
    ...content,
    operations: content.operations.map(({ operation }) => operation),
  });
  // Whatever a machine would refuse is refused here.
  const { payloadBytes } = parseHeader(header, content);
  const temporary = temporaryName(output);
  const hash = createHash('sha256');
  try {
    const file = await open(temporary, 'wx');
    try {
      for (const part of [header, ...content.operations.flatMap(({ blob }) => blob ?? [])]) {
        hash.update(part);
        await file.writeFile(part);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(temporary, output);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return {
    sha256: hash.digest('hex'),
    sizeBytes: payloadBytes,
    headerBytes: header.length,
    headerSha256: sha256(header),
  };
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
