/** Bits that rot on the disk of a machine that is off. */
import { run } from '../../../builder/process/run.ts';
import { labToolbox } from '../../../lab/toolbox.ts';
import { partition } from '../disk-edit.ts';

const BLOCK_BYTES = 4096;

/** The beginning of a root slot: the superblock of its file system. */
export async function rotRoot(overlay: string, image: string, slot: 'a' | 'b'): Promise<void> {
  const { offset } = await partition(image, `root-${slot}`);
  await overwrite(overlay, offset);
}

async function overwrite(overlay: string, offset: number): Promise<void> {
  const toolbox = await labToolbox();
  const command = `write -P 0x5a ${offset} ${BLOCK_BYTES}`;
  await run([...toolbox.command('qemu-io'), '-f', 'qcow2', '-c', command, overlay]);
}
