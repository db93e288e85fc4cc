/** What a Debian package holds: its data unpacked once into the cache as an uncompressed tar, and an index of it. */
import { createHash } from 'node:crypto';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { cachedDirectory } from '../cache/directory.ts';
import { SlipwayError } from '../../spec/error.ts';
import { run } from '../process/run.ts';
import { diskFull } from './disk-full.ts';
import { readElf } from './elf.ts';
import { licencesOf } from './licence.ts';
import { readTar, type ReadAt, type TarEntry } from './tar-index.ts';

export interface PackageEntry {
  /** Absolute, with /bin, /sbin, /lib, /lib64 under /usr. */
  readonly path: string;
  readonly type: TarEntry['type'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  /** Of a symlink: as written. Of a hard link: absolute, normalised like `path`. */
  readonly target?: string;
  /** Of the contents, in tarPath. */
  readonly offset: number;
  /** Of a file's contents. */
  readonly sha256?: string;
  /** ELF: DT_NEEDED, DT_SONAME, PT_INTERP. */
  readonly needed?: readonly string[];
  readonly soname?: string;
  readonly interpreter?: string;
}

export interface PackageContent {
  /** In the archive's order, without the root directory itself. */
  readonly entries: readonly PackageEntry[];
  readonly tarPath: string;
  /** Short names of the licences in the package's copyright file, sorted; empty where it names none, or lies in another package. */
  readonly licences: readonly string[];
  /** The package whose copyright file holds for this one, too (its documentation folder is a link to the other's). */
  readonly licencesOf?: string;
}

/** Part of the cache key: to be raised with every change of what the index says. */
const INDEX_VERSION = 3;

/** Unpacks and indexes once for a package's hash. Starts nothing of the package. */
export async function openPackage(debPath: string): Promise<PackageContent> {
  const key = { kind: 'package', version: INDEX_VERSION, sha256: await hashOf(debPath) };
  const directory = await cachedDirectory('packages', key, async (temporary) => {
    const tarPath = join(temporary, 'data.tar');
    await unpack(debPath, tarPath);
    await writeFile(join(temporary, 'index.json'), JSON.stringify(await indexTar(tarPath)));
  });
  const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as Omit<
    PackageContent,
    'tarPath'
  >;
  return { ...index, tarPath: join(directory, 'data.tar') };
}

async function unpack(debPath: string, tarPath: string): Promise<void> {
  try {
    await run(['dpkg-deb', '--fsys-tarfile', debPath], { outputFile: tarPath });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (/No space left/.test(text)) throw diskFull(cause);
    throw new SlipwayError('debian.bad-package', `${debPath} cannot be unpacked: ${text}`, {
      hint: 'it is damaged: remove this file, and it is fetched anew',
      cause,
    });
  }
}

/** Objects of the cache are named by their hash; anything else is read. */
async function hashOf(debPath: string): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(basename(debPath))) return basename(debPath);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(debPath)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function indexTar(tarPath: string): Promise<Omit<PackageContent, 'tarPath'>> {
  const descriptor = openSync(tarPath, 'r');
  try {
    const readAt: ReadAt = (offset, length) => {
      const buffer = Buffer.allocUnsafe(length);
      return buffer.subarray(0, readSync(descriptor, buffer, 0, length, offset));
    };
    const entries: PackageEntry[] = [];
    const licences = new Set<string>();
    for (const entry of readTar(readAt, tarPath)) {
      const path = normalisePath(entry.name);
      if (path === '/') continue;
      entries.push(describe(entry, path, readAt));
      if (entry.type === 'file' && /^\/usr\/share\/doc\/[^/]+\/copyright$/.test(path)) {
        for (const name of licencesOf(readAt(entry.offset, entry.sizeBytes).toString('utf8')))
          licences.add(name);
      }
      // Indexing shares the thread with downloads and other packages' unpacking.
      if (entries.length % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const other = documentationOf(entries);
    return { entries, licences: [...licences].sort(), ...(other === undefined ? {} : { licencesOf: other }) };
  } finally {
    closeSync(descriptor);
  }
}

/** Policy 12.5: packages of one source may share a documentation folder. */
function documentationOf(entries: readonly PackageEntry[]): string | undefined {
  const link = entries.find(
    ({ path, type }) => type === 'symlink' && /^\/usr\/share\/doc\/[^/]+$/.test(path),
  );
  return link?.target?.split('/').findLast((part) => part !== '');
}

function describe(entry: TarEntry, path: string, readAt: ReadAt): PackageEntry {
  const { type, mode, uid, gid, sizeBytes, offset, target } = entry;
  const common = { path, type, mode, uid, gid, sizeBytes, offset };
  if (type === 'symlink') return { ...common, target: target ?? '' };
  if (type === 'hardlink') return { ...common, target: normalisePath(target ?? '') };
  if (type === 'directory') return common;
  const within: ReadAt = (start, length) => {
    const available = Math.max(0, Math.min(length, sizeBytes - start));
    return available === 0 ? Buffer.alloc(0) : readAt(offset + start, available);
  };
  return { ...common, sha256: hashFile(within, sizeBytes), ...readElf(within) };
}

function hashFile(within: ReadAt, sizeBytes: number): string {
  const hash = createHash('sha256');
  for (let start = 0; start < sizeBytes; start += CHUNK_BYTES) hash.update(within(start, CHUNK_BYTES));
  return hash.digest('hex');
}

const CHUNK_BYTES = 1024 * 1024;

/**
 * `./lib/x` -> `/usr/lib/x`. The links /bin, /lib, ... themselves (package base-files) keep their place.
 * https://www.freedesktop.org/wiki/Software/systemd/TheCaseForTheUsrMerge/
 */
function normalisePath(name: string): string {
  const path = `/${name.replace(/^\.?\/*/, '').replace(/\/+$/, '')}`;
  return /^\/(bin|sbin|lib|lib32|lib64|libx32)\//.test(path) ? `/usr${path}` : path;
}
