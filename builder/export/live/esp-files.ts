/** What an installer puts on the ESP of a new machine: the files of the build's own disk, in a tar. */
import { pack } from 'tar-stream';
import { readFat } from '../../esp/read.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { partOf, withFile } from '../../inspect/source.ts';
import { readTable } from '../grown-disk.ts';
import type { ExportSource } from '../source.ts';

/** Names as they are on the ESP; the same disk gives the same bytes. */
export async function espTar({ disk, diskPath, epoch }: ExportSource): Promise<Buffer> {
  const esp = (await readTable(disk)).partitions.find(({ name }) => name === 'esp');
  if (esp === undefined) throw new SlipwayError('export.no-esp', `${diskPath} has no partition esp`);
  const tar = pack();
  const parts: Uint8Array[] = [];
  const collected = (async () => {
    for await (const bytes of tar as AsyncIterable<Uint8Array>) parts.push(bytes);
  })();
  await withFile(diskPath, async (source) => {
    for (const file of await readFat(partOf(source, esp.offsetBytes, esp.sizeBytes))) {
      const bytes = await file.read();
      tar.entry({ name: file.path, mode: 0o644, uid: 0, gid: 0, mtime: new Date(epoch * 1000) }, bytes);
    }
  });
  tar.finalize();
  await collected;
  return Buffer.concat(parts);
}
