/** A FAT32 file system inside a disk image, made in place by dosfstools and mtools. */
import { dirname } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { SectorSize } from '../gpt/table.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import type { EspFile } from './files.ts';

export interface EspOptions {
  readonly toolbox: Toolbox;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
  readonly sectorSize: SectorSize;
  /** Eight hexadecimal digits. */
  readonly volumeId: string;
  /** Seconds since 1970: the time of every file. */
  readonly epoch: number;
}

const CLUSTER_BYTES = 4096;

/** Writes the file system into `disk` (which must be zeros there); the same files and options give the same bytes. */
export async function writeEsp(disk: string, files: readonly EspFile[], options: EspOptions): Promise<void> {
  const { toolbox, offsetBytes, sizeBytes, sectorSize, volumeId } = options;
  const total = files.reduce((sum, file) => sum + file.bytes.length, 0);
  // Two boot entries must fit at any time, the running one and the one that an update writes.
  if (total * 2 > sizeBytes) {
    throw new SlipwayError(
      'esp.full',
      `boot loader and UKI have ${total} bytes; an EFI system partition of ${sizeBytes} bytes does not hold two generations of them`,
    );
  }
  const environment = {
    SOURCE_DATE_EPOCH: String(options.epoch),
    // Neither the user's nor the machine's mtools settings.
    MTOOLSRC: '/dev/null',
    MTOOLS_NO_VFAT: '0',
    MTOOLS_LOWER_CASE: '0',
  };
  await run(
    [
      ...toolbox.command('mkfs.vfat'),
      ...['-F', '32', '-S', String(sectorSize), '-s', String(CLUSTER_BYTES / sectorSize)],
      ...['-i', volumeId, '-n', 'ESP', '-h', String(offsetBytes / sectorSize)],
      ...['--offset', String(offsetBytes / sectorSize), disk, String(sizeBytes / 1024)],
    ],
    { environment },
  );
  const image = `${disk}@@${offsetBytes}`;
  const folders = foldersOf(files.map((file) => file.path)).map((folder) => `::${folder}`);
  await run([...toolbox.command('mmd'), '-i', image, ...folders], { environment });
  for (const { path, bytes } of files) {
    await run([...toolbox.command('mcopy'), '-i', image, '-', `::${path}`], { environment, input: bytes });
  }
}

/** Every folder that the files need, parents first. */
function foldersOf(paths: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  const add = (folder: string): void => {
    if (folder === '.') return;
    add(dirname(folder));
    folders.add(folder);
  };
  for (const path of paths) add(dirname(path));
  return [...folders];
}
