/** One layer: its tar verified, its files' contents laid end to end in one file of the cache, and an index of what it says. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { SlipwayError } from '../../spec/error.ts';
import { cachedDirectory } from '../cache/directory.ts';
import { isDiskFull } from '../debian/disk-full.ts';
import { run } from '../process/run.ts';
import type { ImageLayer } from './source.ts';

export interface LayerEntry {
  /** As in the archive, without a leading `/` or `./`; never with `..`. Empty: the root directory itself. */
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a hard link: like `path`. */
  readonly target?: string;
  /** Of a file's contents in `dataPath`. */
  readonly offset?: number;
  readonly sizeBytes?: number;
  readonly sha256?: string;
}

export interface LayerContent {
  readonly entries: readonly LayerEntry[];
  readonly dataPath: string;
}

/** What a layer may hold at most: more cannot fit a root file system, and is a decompression bomb. */
export const LAYER_LIMITS = {
  uncompressedBytes: 4 * 1024 ** 3,
  entries: 500_000,
  pathBytes: 4095,
  nameBytes: 255,
} as const;

/** Part of the cache key: to be raised with every change of what the index says. */
const INDEX_VERSION = 1;

/** `zstd`: argv prefix of the locked zstd. Unpacked once for each digest; throws `oci.digest` or `oci.hostile-layer`. */
export async function openLayer(
  layer: ImageLayer,
  zstd: () => Promise<readonly string[]>,
): Promise<LayerContent> {
  const key = { version: INDEX_VERSION, digest: layer.digest ?? layer.diffId, diffId: layer.diffId };
  const directory = await cachedDirectory('layers', key, (temporary) => unpackLayer(layer, temporary, zstd));
  const index = await readFile(join(directory, 'index.json'), 'utf8');
  return { entries: JSON.parse(index) as LayerEntry[], dataPath: join(directory, 'data') };
}

async function unpackLayer(
  layer: ImageLayer,
  directory: string,
  zstd: () => Promise<readonly string[]>,
): Promise<void> {
  const compression = await compressionOf(layer.path);
  const compressed = hashing();
  const uncompressed = hashing(LAYER_LIMITS.uncompressedBytes);
  const tar = extract();
  // Before anything flows: tar-stream tells of an entry once, and whoever does not listen yet has lost it and all that follow.
  const data = await open(join(directory, 'data'), 'wx');
  const source = createReadStream(layer.path);
  const indexed = indexEntries(tar, data);
  const steps =
    compression === 'gzip'
      ? pipeline(source, compressed.stream, createGunzip(), uncompressed.stream, tar)
      : compression === 'tar'
        ? pipeline(source, compressed.stream, uncompressed.stream, tar)
        : unpackZstd(layer.path, directory, await zstd(), async (plain) => {
            await pipeline(source, compressed.stream.resume());
            await pipeline(createReadStream(plain), uncompressed.stream, tar);
          });
  const results = await Promise.allSettled([indexed, steps]);
  throwFirst(results, layer);
  if (layer.digest !== undefined && compressed.digest() !== layer.digest) throw wrongDigest(layer.digest);
  if (uncompressed.digest() !== layer.diffId) throw wrongDigest(layer.diffId);
  await writeFile(join(directory, 'index.json'), JSON.stringify(await indexed));
}

/** One end's fault breaks the other end too: ours says what is wrong, the stream's only that it ended early. */
function throwFirst(results: readonly PromiseSettledResult<unknown>[], layer: ImageLayer): void {
  const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as Error] : []));
  const own = reasons.find((reason) => reason instanceof SlipwayError || isDiskFull(reason));
  if (own !== undefined) throw own;
  if (reasons.length === 0) return;
  const [cause] = reasons;
  throw new SlipwayError(
    'oci.invalid',
    `layer ${layer.digest ?? layer.diffId} is damaged: ${String(cause)}`,
    { cause },
  );
}

async function unpackZstd(
  path: string,
  directory: string,
  zstd: readonly string[],
  read: (plain: string) => Promise<void>,
): Promise<void> {
  const plain = join(directory, 'layer.tar');
  // No stream passes through us here, so the kernel keeps the limit.
  const limit = ['prlimit', `--fsize=${LAYER_LIMITS.uncompressedBytes}`];
  await run([...limit, ...zstd, '--decompress', '--stdout', '--quiet', '--memory=2048MB', path], {
    outputFile: plain,
  });
  await read(plain);
  await rm(plain);
}

async function indexEntries(
  tar: ReturnType<typeof extract>,
  data: FileHandle,
): Promise<readonly LayerEntry[]> {
  const entries: LayerEntry[] = [];
  let offset = 0;
  try {
    for await (const member of tar as AsyncIterable<TarMember>) {
      if (entries.length >= LAYER_LIMITS.entries)
        throw hostile(member.header.name, 'there are too many entries');
      const entry = layerEntry(member.header);
      if (entry?.type !== 'file') {
        member.resume();
        if (entry !== undefined) entries.push(entry);
        continue;
      }
      const { sizeBytes, sha256 } = await append(member, data);
      entries.push({ ...entry, offset, sizeBytes, sha256 });
      offset += sizeBytes;
    }
  } finally {
    await data.close();
  }
  return entries;
}

interface TarMember extends AsyncIterable<Buffer> {
  readonly header: Header;
  resume(): void;
}

async function append(
  member: AsyncIterable<Buffer>,
  data: FileHandle,
): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const chunk of member) {
    hash.update(chunk);
    sizeBytes += chunk.length;
    await data.writeFile(chunk);
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** `undefined`: nothing of it goes into an image (device nodes under /dev, which every container gets anew). */
function layerEntry(header: Header): LayerEntry | undefined {
  const path = safePath(header.name);
  const { uid = 0, gid = 0, mode = 0, linkname } = header;
  for (const id of [uid, gid]) {
    if (!Number.isInteger(id) || id < 0 || id >= 0xffff_ffff)
      throw hostile(header.name, `its owner is ${id}`);
  }
  const common = { path, mode: mode & 0o7777, uid, gid };
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      return { ...common, type: 'file' };
    case 'directory':
      return { ...common, type: 'directory' };
    case 'symlink':
      if (linkname == null || linkname === '') throw hostile(header.name, 'it is a link to nothing');
      return { ...common, type: 'symlink', target: linkname };
    case 'link':
      return { ...common, type: 'hardlink', target: safePath(linkname ?? '') };
    case 'block-device':
    case 'character-device':
    case 'fifo':
    default:
      if (path.startsWith('dev/')) return undefined;
      throw hostile(
        header.name,
        `it is a ${header.type ?? 'thing of unknown type'}, which no image can hold`,
      );
  }
}

function safePath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw hostile(name, 'it leads out of the image');
  const path = parts.join('/');
  const tooLong =
    Buffer.byteLength(path) > LAYER_LIMITS.pathBytes ||
    parts.some((part) => Buffer.byteLength(part) > LAYER_LIMITS.nameBytes);
  if (tooLong || /[\0\n]/.test(path)) throw hostile(name, 'no file can have this name');
  return path;
}

async function compressionOf(path: string): Promise<'gzip' | 'zstd' | 'tar'> {
  const handle = await open(path, 'r');
  try {
    const { buffer } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    if (buffer.readUInt16BE(0) === 0x1f8b) return 'gzip';
    return buffer.readUInt32BE(0) === 0x28b52ffd ? 'zstd' : 'tar';
  } finally {
    await handle.close();
  }
}

function hashing(maxBytes = Number.POSITIVE_INFINITY): { stream: Transform; digest: () => string } {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes > maxBytes) done(hostile('the layer', `it is larger than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
  return { stream, digest: () => `sha256:${hash.digest('hex')}` };
}

function hostile(name: string, why: string): SlipwayError {
  return new SlipwayError('oci.hostile-layer', `image layer: ${JSON.stringify(name.slice(0, 200))}: ${why}`);
}

function wrongDigest(digest: string): SlipwayError {
  return new SlipwayError('oci.digest', `layer ${digest} is not what its digest says`, {
    hint: 'the image is damaged, or was changed on the way: fetch it again',
  });
}
