/** Reads uncompressed EROFS images (Linux, fs/erofs/erofs_fs.h), as `makeErofs` writes them. The bytes may be hostile. */
import { SlipwayError } from '../../spec/error.ts';
import { uuidFromBytes } from '../gpt/guid.ts';
import type { ByteSource } from '../inspect/source.ts';

export interface ErofsImage {
  readonly uuid: string;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly inodes: number;
  /** Seconds since 1970. */
  readonly epoch: number;
  /** `undefined` where there is no such file. Throws `erofs.invalid`. Symbolic links are not followed. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Names in a directory. */
  list(path: string): Promise<readonly string[]>;
  /** Everything in it, directories before what they hold, in the order of the names' bytes. Throws `erofs.invalid`. */
  entries(): AsyncIterable<ErofsEntry>;
}

interface EntryBase {
  /** Absolute; `/` is the root itself. */
  readonly path: string;
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export type ErofsEntry = EntryBase &
  (
    | { readonly type: 'file'; readonly sizeBytes: number; readonly read: () => Promise<Buffer> }
    | { readonly type: 'directory' }
    | { readonly type: 'symlink'; readonly target: string }
    /** `target`: the path under which the file came before. */
    | { readonly type: 'hardlink'; readonly target: string }
  );

interface Inode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly sizeBytes: number;
  /** `plain`: whole blocks at `block`; `inline`: the last, partial one directly behind the inode, at `tail`. */
  readonly layout: 'plain' | 'inline';
  readonly block: number;
  readonly tail: number;
}

const SUPERBLOCK_OFFSET = 1024;
const MAGIC = 0xe0f5e1e2;
const SLOT_BYTES = 32;
const DIRENT_BYTES = 12;
const TYPE_MASK = 0o170000;
const DIRECTORY = 0o040000;
const REGULAR = 0o100000;
const SYMLINK = 0o120000;
const MAX_DEPTH = 64;
/** What inspecting ever reads: descriptions, not programs. */
const MAX_READ_BYTES = 64 * 1024 * 1024;

/** Throws `erofs.invalid` where there is no EROFS. */
export async function readErofs(source: ByteSource): Promise<ErofsImage> {
  const superblock = await source.read(SUPERBLOCK_OFFSET, 128);
  if (superblock.readUInt32LE(0) !== MAGIC) throw invalid('it has no EROFS superblock');
  const blockBits = superblock.readUInt8(12);
  if (blockBits < 9 || blockBits > 16) throw invalid(`its blocks have 2^${blockBits} bytes`);
  const blockBytes = 2 ** blockBits;
  const context = {
    source,
    blockBytes,
    metadata: superblock.readUInt32LE(40) * blockBytes,
    rootNid: superblock.readUInt16LE(14),
  };
  return {
    uuid: uuidFromBytes(superblock.subarray(48, 64)),
    blockBytes,
    blocks: superblock.readUInt32LE(36),
    inodes: Number(superblock.readBigUInt64LE(16)),
    epoch: Number(superblock.readBigUInt64LE(24)),
    readFile: async (path) => {
      const inode = await lookUp(context, path);
      if (inode === undefined || (inode.mode & TYPE_MASK) !== REGULAR) return undefined;
      return readData(context, inode);
    },
    list: async (path) => {
      const inode = await lookUp(context, path);
      if (inode === undefined) return [];
      const names = [...(await readDirectory(context, inode)).keys()];
      return names.filter((name) => name !== '.' && name !== '..');
    },
    entries: () => walk(context, { nid: context.rootNid, path: '/', depth: 0 }, new Map()),
  };
}

interface Context {
  readonly source: ByteSource;
  readonly blockBytes: number;
  readonly metadata: number;
  readonly rootNid: number;
}

async function lookUp(context: Context, path: string): Promise<Inode | undefined> {
  let inode = await readInode(context, context.rootNid);
  for (const name of path.split('/').filter((part) => part !== '')) {
    if ((inode.mode & TYPE_MASK) !== DIRECTORY) return undefined;
    const nid = (await readDirectory(context, inode)).get(name);
    if (nid === undefined) return undefined;
    inode = await readInode(context, nid);
  }
  return inode;
}

/** `seen`: where the inodes that have several names came first. */
async function* walk(
  context: Context,
  { nid, path, depth }: { readonly nid: number; readonly path: string; readonly depth: number },
  seen: Map<number, string>,
): AsyncIterable<ErofsEntry> {
  if (depth > MAX_DEPTH) throw invalid('its directories are nested too deep');
  const inode = await readInode(context, nid);
  const { mode, uid, gid } = inode;
  const base = { path, mode: mode & 0o7777, uid, gid };
  const first = seen.get(nid);
  if (first !== undefined) {
    yield { ...base, type: 'hardlink', target: first };
    return;
  }
  switch (mode & TYPE_MASK) {
    case REGULAR:
      if (inode.links > 1) seen.set(nid, path);
      yield { ...base, type: 'file', sizeBytes: inode.sizeBytes, read: () => readData(context, inode) };
      return;
    case SYMLINK:
      yield { ...base, type: 'symlink', target: (await readData(context, inode)).toString('utf8') };
      return;
    case DIRECTORY:
      yield { ...base, type: 'directory' };
      for (const [name, child] of await readDirectory(context, inode)) {
        if (name === '.' || name === '..') continue;
        yield* walk(
          context,
          { nid: child, path: `${path === '/' ? '' : path}/${name}`, depth: depth + 1 },
          seen,
        );
      }
      return;
    default:
      throw invalid(`${path} is neither a file nor a directory nor a link`);
  }
}

async function readInode({ source, metadata }: Context, nid: number): Promise<Inode> {
  const offset = metadata + nid * SLOT_BYTES;
  const head = await source.read(offset, SLOT_BYTES);
  const format = head.readUInt16LE(0);
  const extended = (format & 1) === 1;
  const layout = (['plain', undefined, 'inline'] as const)[(format >> 1) & 7];
  if (layout === undefined) throw invalid('it is compressed, which this reader does not undo');
  const attributes = head.readUInt16LE(2);
  const headBytes = extended ? 2 * SLOT_BYTES : SLOT_BYTES;
  const attributeBytes = attributes === 0 ? 0 : 12 + (attributes - 1) * 4;
  return {
    mode: head.readUInt16LE(4),
    uid: extended ? head.readUInt32LE(24) : head.readUInt16LE(24),
    gid: extended ? head.readUInt32LE(28) : head.readUInt16LE(26),
    links: extended ? (await source.read(offset + 44, 4)).readUInt32LE(0) : head.readUInt16LE(6),
    sizeBytes: extended ? Number(head.readBigUInt64LE(8)) : head.readUInt32LE(8),
    layout,
    block: head.readUInt32LE(16),
    tail: offset + headBytes + attributeBytes,
  };
}

async function readData({ source, blockBytes }: Context, inode: Inode): Promise<Buffer> {
  if (inode.sizeBytes > MAX_READ_BYTES) throw invalid(`a file in it has ${inode.sizeBytes} bytes`);
  const start = inode.block * blockBytes;
  if (inode.layout === 'plain') return source.read(start, inode.sizeBytes);
  const whole = Math.max(0, Math.ceil(inode.sizeBytes / blockBytes) - 1) * blockBytes;
  const blocks = whole === 0 ? Buffer.alloc(0) : await source.read(start, whole);
  return Buffer.concat([blocks, await source.read(inode.tail, inode.sizeBytes - whole)]);
}

/** Name to inode number. Each block starts with its entries, and their names follow. */
async function readDirectory(context: Context, inode: Inode): Promise<ReadonlyMap<string, number>> {
  const data = await readData(context, inode);
  const entries = new Map<string, number>();
  for (let block = 0; block < data.length; block += context.blockBytes) {
    const bytes = data.subarray(block, block + context.blockBytes);
    if (bytes.length < DIRENT_BYTES) throw invalid('a directory in it is cut off');
    const count = bytes.readUInt16LE(8) / DIRENT_BYTES;
    if (!Number.isInteger(count) || count === 0 || count * DIRENT_BYTES > bytes.length) {
      throw invalid('a directory in it is damaged');
    }
    for (let index = 0; index < count; index++) {
      const at = index * DIRENT_BYTES;
      const nameStart = bytes.readUInt16LE(at + 8);
      const nameEnd = index + 1 < count ? bytes.readUInt16LE(at + DIRENT_BYTES + 8) : bytes.length;
      const name = bytes.subarray(nameStart, nameEnd).toString('utf8').replace(/\0.*$/s, '');
      entries.set(name, Number(bytes.readBigUInt64LE(at)));
    }
  }
  return entries;
}

function invalid(what: string): SlipwayError {
  return new SlipwayError('erofs.invalid', `not a usable EROFS image: ${what}`);
}
