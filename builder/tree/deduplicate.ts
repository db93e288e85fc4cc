/** Files with the same bytes, mode and owner are stored once: later ones become hard links to the first. */
import { createHash } from 'node:crypto';
import type { FileSource, TreeEntry } from './entry.ts';

export function deduplicate(entries: readonly TreeEntry[]): TreeEntry[] {
  const first = new Map<string, string>();
  return entries.map((entry) => {
    if (entry.type !== 'file' || sourceSize(entry.source) === 0) return entry;
    const key = `${sourceDigest(entry.source)} ${entry.mode} ${entry.uid} ${entry.gid}`;
    const target = first.get(key);
    if (target === undefined) {
      first.set(key, entry.path);
      return entry;
    }
    const { path, mode, uid, gid, component } = entry;
    return { path, mode, uid, gid, component, type: 'hardlink', target };
  });
}

/** SHA-256 of a file's bytes, hexadecimal. */
export function sourceDigest(source: FileSource): string {
  return source.kind === 'path' ? source.sha256 : createHash('sha256').update(source.bytes).digest('hex');
}

export function sourceSize(source: FileSource): number {
  return source.kind === 'path' ? source.sizeBytes : source.bytes.byteLength;
}
