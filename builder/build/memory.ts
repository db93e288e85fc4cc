const MIB = 1024 * 1024;

/**
 * The least memory of a machine that boots an image, in MiB, by the size of its UKI: the firmware loads the file, the stub takes it apart, and
 * the kernel unpacks the initrd, each while the copy before it is still held (decisions.md 9). The two numbers are measured (`npm run bench`).
 */
export function minMemoryMiB(ukiBytes: number): number {
  return Math.ceil((FLOOR_MIB + (ukiBytes / MIB) * PER_UKI_MIB) / 8) * 8;
}

const FLOOR_MIB = 110;
const PER_UKI_MIB = 4;
