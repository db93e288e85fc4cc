/** The dm-verity hash tree of a root file system. */
import { open, rm, stat } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';
import { BLOCK_BYTES } from '../../spec/layout.ts';
import { publish, temporaryName } from '../cache/directory.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import { slotUuid, slotUuidPatch } from './superblock.ts';

export interface VerityOptions {
  readonly toolbox: Toolbox;
  /** 64 hexadecimal digits; derived from what does not change between builds, so that the same root has the same tree. */
  readonly salt: string;
}

export interface VerityInfo {
  /** 64 hexadecimal digits. */
  readonly rootHash: string;
  /** 4 KiB blocks of the root. */
  readonly dataBlocks: number;
  /** 4 KiB blocks of the tree, without the one that holds the superblock. */
  readonly hashBlocks: number;
  readonly salt: string;
  /** First half of the root hash: by it a slot is known, and a UKI finds its root. */
  readonly uuid: string;
}

/** Writes superblock and tree to `output`. `dataPath` must be whole blocks. Throws `process.failed`. */
export async function makeVerity(
  dataPath: string,
  output: string,
  { toolbox, salt }: VerityOptions,
): Promise<VerityInfo> {
  const { size } = await stat(dataPath);
  if (size === 0 || size % BLOCK_BYTES !== 0) {
    throw new SlipwayError(
      'verity.size',
      `${dataPath} has ${size} bytes, which are not whole blocks of 4 KiB`,
    );
  }
  const temporary = temporaryName(output);
  try {
    const { stdout } = await run([
      ...toolbox.command('veritysetup'),
      'format',
      '--hash=sha256',
      '--format=1',
      `--data-block-size=${BLOCK_BYTES}`,
      `--hash-block-size=${BLOCK_BYTES}`,
      `--salt=${salt}`,
      // Known only afterwards; anything but a random one until then.
      '--uuid=00000000-0000-0000-0000-000000000000',
      dataPath,
      temporary,
    ]);
    const rootHash = /^Root hash:\s*([0-9a-f]{64})$/m.exec(stdout.toString('utf8'))?.[1];
    if (rootHash === undefined) {
      throw new SlipwayError('verity.output', 'veritysetup printed no root hash');
    }
    await writeSlotUuid(temporary, rootHash);
    const hashBlocks = (await stat(temporary)).size / BLOCK_BYTES - 1;
    await publish(temporary, output);
    return { rootHash, dataBlocks: size / BLOCK_BYTES, hashBlocks, salt, uuid: slotUuid(rootHash) };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function writeSlotUuid(path: string, rootHash: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { offset, bytes } = slotUuidPatch(rootHash);
    await file.write(bytes, 0, bytes.length, offset);
    await file.chmod(0o644);
  } finally {
    await file.close();
  }
}
