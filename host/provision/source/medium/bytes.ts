/** Reading of a medium that somebody else wrote: bounded, and every number checked where it is used. */
import { SlipwayError } from '../../../../spec/error.ts';

/** `length` bytes from `offset`; throws `provision.medium` when the medium has fewer. */
export type ReadBytes = (offset: number, length: number) => Uint8Array;

/** One file system, opened. */
export interface Volume {
  /** All names that it goes by; FAT keeps two. */
  readonly labels: readonly string[];
  /** A file by its path (`user-data`, `openstack/latest/user_data`); `undefined` where there is none. Throws `provision.medium`. */
  readonly file: (path: string) => Uint8Array | undefined;
}

export const MEDIUM_LIMITS = {
  /** One document. Clouds allow 16 to 512 KiB. */
  fileBytes: 1024 * 1024,
  directoryBytes: 256 * 1024,
} as const;

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

export function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}

export function ascii(bytes: Uint8Array, from: number, to: number): string {
  return String.fromCharCode(...bytes.subarray(from, to));
}

/** Joliet's and UDF's two-byte characters, big-endian. */
export function ucs2(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at + 1 < bytes.length; at += 2)
    text += String.fromCharCode(((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0));
  return text;
}

export function damaged(what: string): SlipwayError {
  return new SlipwayError('provision.medium', `the file system is damaged: ${what}`, {
    hint: 'make the medium again',
  });
}

export function checkFileSize(name: string, sizeBytes: number): void {
  if (sizeBytes > MEDIUM_LIMITS.fileBytes)
    throw new SlipwayError('provision.too-large', `${name} is larger than 1 MiB`);
}

/** Walks a path through directories, whatever they are. Names are compared without case, as FAT does. */
export function walk<Node>(
  root: Node,
  path: string,
  entries: (directory: Node) => readonly { readonly name: string; readonly directory: boolean; node: Node }[],
): { readonly node: Node; readonly directory: boolean } | undefined {
  let found: { node: Node; directory: boolean } = { node: root, directory: true };
  for (const part of path.split('/')) {
    if (!found.directory) return undefined;
    const wanted = part.toLowerCase();
    const next = entries(found.node).find(({ name }) => name.toLowerCase() === wanted);
    if (next === undefined) return undefined;
    found = next;
  }
  return found;
}
