/** `slipway inspect`: recognises an artifact by its first bytes, and reads it. */
import { SlipwayError } from '../../spec/error.ts';
import { decodeGpt, GPT_HEAD_BYTES } from '../gpt/table.ts';
import {
  VERITY_SUPERBLOCK_BYTES,
  readVeritySuperblock,
  type VeritySuperblock,
} from '../verity/superblock.ts';
import { inspectDisk, type DiskOptions, type DiskReport } from './disk.ts';
import { inspectPe, type PeReport } from './pe.ts';
import { inspectRoot, type RootReport } from './root.ts';
import { withFile, type ByteSource } from './source.ts';

export type Inspection =
  | DiskReport
  | PeReport
  | RootReport
  | ({ readonly kind: 'verity'; readonly sizeBytes: number } & VeritySuperblock);

type Kind = 'disk' | 'pe' | 'root' | 'verity';

const EROFS_MAGIC = Buffer.from('e2e1f5e0', 'hex');
const MAX_PE_BYTES = 1024 * 1024 * 1024;

/**
 * Reads a disk image, a UKI, a boot loader, a root or a verity tree. With `anchors`, says which of them trust its signatures. Throws
 * `inspect.unknown` where it is none of these, and an error of its format where it is damaged.
 */
export function inspectArtifact(path: string, options: DiskOptions = {}): Promise<Inspection> {
  return withFile(path, async (source): Promise<Inspection> => {
    switch (await recognise(source)) {
      case 'disk':
        return inspectDisk(source, options);
      case 'root':
        return inspectRoot(source);
      case 'pe':
        if (source.sizeBytes > MAX_PE_BYTES) {
          throw new SlipwayError(
            'pe.invalid',
            `a PE image of ${source.sizeBytes} bytes is none that firmware loads`,
          );
        }
        return inspectPe(await source.read(0, source.sizeBytes), options.anchors);
      case 'verity': {
        const superblock = readVeritySuperblock(await source.read(0, VERITY_SUPERBLOCK_BYTES));
        if (superblock === undefined) throw new Error('recognised as verity');
        return { kind: 'verity', sizeBytes: source.sizeBytes, ...superblock };
      }
      case undefined:
        throw new SlipwayError(
          'inspect.unknown',
          `${path} is neither a disk, nor a UKI, nor a root, nor a verity tree`,
          {
            hint: 'inspect the .raw, .efi, .root.erofs or .verity that a build leaves',
          },
        );
    }
  });
}

async function recognise(source: ByteSource): Promise<Kind | undefined> {
  const head = await source.read(0, Math.min(GPT_HEAD_BYTES, source.sizeBytes));
  if (head.subarray(0, 2).toString('latin1') === 'MZ') return 'pe';
  if (head.subarray(0, 8).toString('latin1') === 'verity\0\0' && head.length >= VERITY_SUPERBLOCK_BYTES) {
    return 'verity';
  }
  if (head.subarray(1024, 1028).equals(EROFS_MAGIC)) return 'root';
  return decodeGpt(head, source.sizeBytes) === undefined ? undefined : 'disk';
}
