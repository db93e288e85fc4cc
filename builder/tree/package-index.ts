/** All packages of a lock as one index: which package holds a path, and which file a shared library's name means. */
import { posix } from 'node:path';
import type { PackageContent, PackageEntry } from '../debian/package-content.ts';
import type { LockedPackage } from '../lock/lock-file.ts';

export interface OpenedPackage {
  readonly locked: LockedPackage;
  readonly content: PackageContent;
}

/** A file, directory or link together with the package it came from. */
export interface PackagedEntry {
  readonly entry: PackageEntry;
  readonly from: OpenedPackage;
}

export interface PackageIndex {
  readonly byName: ReadonlyMap<string, OpenedPackage>;
  /** Entry at an absolute, merged-/usr path. */
  at(path: string): PackagedEntry | undefined;
  /** Every entry on the way from `path` through symbolic links to what they end at; empty when nothing is there. */
  follow(path: string): PackagedEntry[];
  /** The library that the dynamic loader would find for a DT_NEEDED name, with the links on the way. */
  library(soname: string, neededBy: OpenedPackage): PackagedEntry[];
}

export function indexPackages(packages: readonly OpenedPackage[], triplet: string): PackageIndex {
  const paths = new Map<string, PackagedEntry>();
  for (const from of packages)
    for (const entry of from.content.entries)
      if (entry.type !== 'directory' || !paths.has(entry.path)) paths.set(entry.path, { entry, from });

  const follow = (path: string, depth = 0): PackagedEntry[] => {
    const found = paths.get(path);
    if (found === undefined || depth > 16) return [];
    const { entry } = found;
    if (entry.type !== 'symlink' || entry.target === undefined) return [found];
    return [found, ...follow(mergedUsr(posix.resolve(posix.dirname(path), entry.target)), depth + 1)];
  };

  const library = (soname: string, neededBy: OpenedPackage): PackagedEntry[] => {
    // The last is where systemd's own programs look for its shared code (DT_RUNPATH).
    for (const directory of [
      `/usr/lib/${triplet}`,
      '/usr/lib',
      '/usr/lib64',
      `/usr/lib/${triplet}/systemd`,
    ]) {
      const found = follow(`${directory}/${soname}`);
      if (found.length > 0) return found;
    }
    const own = neededBy.content.entries.find((entry) => posix.basename(entry.path) === soname);
    return own === undefined ? [] : follow(own.path);
  };

  return {
    byName: new Map(packages.map((opened) => [opened.locked.name, opened])),
    at: (path) => paths.get(path),
    follow,
    library,
  };
}

/** `/bin/x` -> `/usr/bin/x`: Debian's merged /usr. */
export function mergedUsr(path: string): string {
  return /^\/(bin|sbin|lib|lib32|lib64|libx32)(\/|$)/.test(path) ? `/usr${path}` : path;
}
