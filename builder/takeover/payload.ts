/** What is uploaded: the disk's content as one compressed stream, and the list of where each part of it goes. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { CHUNK_BYTES, regionBytes, type Region, type SparseDisk } from '../export/sparse-disk.ts';
import type { GptTable } from '../gpt/table.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import { regionsToWrite } from './regions.ts';

/** Seconds on a workstation, and memory that any machine has. */
const LEVEL = 9;

/** Writes the stream to `path`; returns the list: `first count sha256`, in units of CHUNK_BYTES, in the order of the stream. */
export async function writePayload(
  disk: SparseDisk,
  table: GptTable,
  path: string,
  toolbox: Toolbox,
): Promise<string> {
  const regions = await regionsToWrite(disk, table);
  const lines: string[] = [];
  async function* stream(): AsyncIterable<Uint8Array> {
    for (const region of regions) {
      const hash = createHash('sha256');
      for await (const bytes of regionBytes(disk, region)) {
        hash.update(bytes);
        yield bytes;
      }
      lines.push(line(region, hash.digest('hex')));
    }
  }
  await run([...toolbox.command('zstd'), '-q', `-${LEVEL}`, '-c'], {
    input: Readable.from(stream()),
    outputFile: path,
  });
  return lines.join('');
}

function line({ offset, sizeBytes }: Region, sha256: string): string {
  return `${offset / CHUNK_BYTES} ${sizeBytes / CHUNK_BYTES} ${sha256}\n`;
}
