/** The FAT file system on a live medium: what the firmware of a machine starts from. */
import { truncate, writeFile } from 'node:fs/promises';
import type { Architecture } from '../../../spec/image.ts';
import { run } from '../../process/run.ts';
import type { Toolbox } from '../../tools/toolbox.ts';

export interface BootImageOptions {
  readonly toolbox: Toolbox;
  readonly architecture: Architecture;
  /** Eight hexadecimal digits. */
  readonly volumeId: string;
  /** Where it will lie on the medium. */
  readonly offsetBytes: number;
  /** Seconds since 1970. */
  readonly epoch: number;
}

const MIB = 1024 * 1024;
const CLUSTER_BYTES = 4096;
/** Below so many clusters a FAT is one of 12 bits, above of 32: by their number alone readers tell. */
const FAT16_CLUSTERS = { least: 4200, most: 65_000 } as const;

/** The UKI is started at once: a medium has one entry, and nothing to count. @returns its size. */
export async function makeBootImage(
  uki: Uint8Array,
  output: string,
  options: BootImageOptions,
): Promise<number> {
  const { toolbox, volumeId, offsetBytes, epoch } = options;
  const least = Math.max(uki.length + MIB, FAT16_CLUSTERS.least * CLUSTER_BYTES);
  const sizeBytes = Math.ceil(least / MIB) * MIB;
  if (sizeBytes / CLUSTER_BYTES > FAT16_CLUSTERS.most) throw new RangeError('a UKI of more than 250 MiB');
  await writeFile(output, '');
  await truncate(output, sizeBytes);
  const environment = {
    SOURCE_DATE_EPOCH: String(epoch),
    MTOOLSRC: '/dev/null',
    MTOOLS_NO_VFAT: '0',
    MTOOLS_LOWER_CASE: '0',
  };
  await run(
    [
      ...toolbox.command('mkfs.vfat'),
      ...['-F', '16', '-S', '512', '-s', String(CLUSTER_BYTES / 512), '-i', volumeId, '-n', 'SLIPWAY'],
      ...['-h', String(offsetBytes / 512), output],
    ],
    { environment },
  );
  const name = { amd64: 'BOOTX64.EFI', arm64: 'BOOTAA64.EFI' }[options.architecture];
  await run([...toolbox.command('mmd'), '-i', output, '::EFI', '::EFI/BOOT'], { environment });
  await run([...toolbox.command('mcopy'), '-i', output, '-', `::EFI/BOOT/${name}`], {
    environment,
    input: uki,
  });
  return sizeBytes;
}
