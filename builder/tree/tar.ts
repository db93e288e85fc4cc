/** Writes a tree as a tar file: the intermediate form from which mkfs.erofs makes the root. */
import { createWriteStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { pack as tarPack, type Pack } from 'tar-stream';
import { sourceSize } from './deduplicate.ts';
import type { FileSource, TreeEntry } from './entry.ts';

/** Every entry gets the same time stamp, `epoch` (seconds): the bytes depend on the tree alone. */
export async function writeTar(entries: readonly TreeEntry[], output: string, epoch: number): Promise<void> {
  const pack = tarPack();
  const written = pipeline(pack, createWriteStream(output, { highWaterMark: 1024 * 1024 }));
  const reader = new SourceReader();
  try {
    for (const entry of entries) {
      const bytes = entry.type === 'file' ? await reader.read(entry.source) : undefined;
      await Promise.race([addEntry(pack, tarHeader(entry, epoch), bytes), written]);
    }
    pack.finalize();
    await written;
  } catch (error) {
    // A file that cannot be written breaks whatever is under way, too: only it knows why.
    pack.destroy(error instanceof Error ? error : new Error(String(error)));
    await written;
    throw error;
  } finally {
    await reader.close();
  }
}

/** Resolves when the entry went through, at the pace of the file that it is written to. */
function addEntry(pack: Pack, header: EntryHeader, bytes: Uint8Array | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = pack.entry(header, (error) => (error ? reject(error) : resolve()));
    if (bytes !== undefined) sink.end(bytes);
  });
}

/** Reads sources, keeping the files that they lie in open. */
export class SourceReader {
  readonly #handles = new Map<string, Awaited<ReturnType<typeof open>>>();

  async read(source: FileSource): Promise<Uint8Array> {
    if (source.kind === 'bytes') return source.bytes;
    let handle = this.#handles.get(source.path);
    if (handle === undefined) {
      handle = await open(source.path, 'r');
      this.#handles.set(source.path, handle);
    }
    const bytes = Buffer.allocUnsafe(source.sizeBytes);
    const { bytesRead } = await handle.read(bytes, 0, source.sizeBytes, source.offset);
    if (bytesRead !== source.sizeBytes) throw new Error(`${source.path}: shorter than its index says`);
    return bytes;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#handles.values()].map((handle) => handle.close()));
    this.#handles.clear();
  }
}

type EntryHeader = Parameters<Pack['entry']>[0];

function tarHeader(entry: TreeEntry, epoch: number): EntryHeader {
  const base: EntryHeader = {
    name: entry.path.slice(1) + (entry.type === 'directory' ? '/' : ''),
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtime: new Date(epoch * 1000),
    uname: '',
    gname: '',
  };
  switch (entry.type) {
    case 'file':
      return { ...base, type: 'file', size: sourceSize(entry.source) };
    case 'directory':
      return { ...base, type: 'directory' };
    case 'symlink':
      return { ...base, type: 'symlink', linkname: entry.target };
    case 'hardlink':
      return { ...base, type: 'link', linkname: entry.target.slice(1) };
  }
}
