/** What Debian's archive holds for some suites and an architecture. */
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '../../spec/image.ts';
import { componentsOf, updateLists, type AptOptions } from './apt-lists.ts';
import { parseRelations, parseStanza, type Stanza } from './control.ts';
import { compareDebianVersions } from './version.ts';

/** A package as the archive's index describes it. */
export interface ArchivePackage {
  readonly suite: string;
  readonly fields: Stanza;
}

export interface Archive {
  readonly architecture: Architecture;
  /** The newest version of a package in the archive's suites. */
  readonly find: (name: string) => ArchivePackage | undefined;
  /** Names of the packages that provide a virtual one, sorted. */
  readonly providers: (name: string) => readonly string[];
  /** When the newest of the suites' indexes was published, in seconds since 1970: the same for everyone who sees the same archive. */
  readonly epoch: number;
}

export type ArchiveOptions = AptOptions;

/** Fetches the indexes of some suites anew. Throws `debian.update-failed` without network or where a signature is wrong. */
export async function openArchive(options: ArchiveOptions): Promise<Archive> {
  const lists = await updateLists(options);
  const index = new Map<string, Candidate>();
  const provided = new Map<string, Set<string>>();
  const files = await readdir(lists);
  for (const suite of options.suites) {
    const suffixes = componentsOf(options).map(
      (component) => `_dists_${suite}_${component}_binary-${options.architecture}_Packages`,
    );
    for (const file of files.filter((name) => suffixes.some((suffix) => name.endsWith(suffix)))) {
      readIndex(await readFile(join(lists, file)), suite, index, provided);
    }
  }
  return {
    architecture: options.architecture,
    find: (name) => {
      const candidate = index.get(name);
      return candidate && { suite: candidate.suite, fields: parseStanza(stanzaText(candidate)) };
    },
    providers: (name) => [...(provided.get(name) ?? [])].sort(),
    epoch: await newestRelease(lists),
  };
}

/** `Date` of the newest signed Release file among apt's lists. */
async function newestRelease(lists: string): Promise<number> {
  const releases = (await readdir(lists)).filter((name) => name.endsWith('_InRelease'));
  const dates = await Promise.all(
    releases.map(async (name) => /^Date: (.+)$/m.exec(await readFile(join(lists, name), 'utf8'))?.[1] ?? ''),
  );
  return Math.max(...dates.map((date) => Math.floor(Date.parse(date) / 1000)).filter(Number.isFinite), 0);
}

/** A stanza stays bytes of its index until it is asked for: a main archive's index has 50 MB and 65,000 of them. */
interface Candidate {
  readonly suite: string;
  readonly version: string;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Everything that is looked at is ASCII. */
function stanzaText({ bytes, start, end }: Candidate): string {
  return bytes.toString('latin1', start, end);
}

/**
 * apt's own choice among suites depends on its pinning (a default release would put it before its security updates), so the newest
 * version is taken here.
 */
function readIndex(
  bytes: Buffer,
  suite: string,
  index: Map<string, Candidate>,
  provided: Map<string, Set<string>>,
): void {
  let nextProvides = 0;
  for (let start = 0; start < bytes.length;) {
    const gap = bytes.indexOf('\n\n', start);
    const end = gap < 0 ? bytes.length : gap;
    const name = fieldAfter(bytes, 'Package: ', start - 1, end);
    const version = fieldAfter(bytes, '\nVersion: ', start, end);
    if (nextProvides < start) nextProvides = bytes.indexOf('\nProvides: ', start);
    if (nextProvides < 0) nextProvides = bytes.length;
    if (name !== undefined && nextProvides < end) {
      for (const virtual of parseRelations(fieldAfter(bytes, '\nProvides: ', nextProvides, end)).flat()) {
        provided.set(virtual, (provided.get(virtual) ?? new Set()).add(name));
      }
    }
    const known = name === undefined ? undefined : index.get(name);
    const isNewer = known === undefined || compareDebianVersions(version ?? '', known.version) > 0;
    if (name !== undefined && version !== undefined && isNewer)
      index.set(name, { suite, version, bytes, start, end });
    start = end + 2;
  }
}

/** The rest of the line after a marker, if it stands between two offsets. */
function fieldAfter(bytes: Buffer, marker: string, start: number, end: number): string | undefined {
  const at = bytes.indexOf(marker, Math.max(0, start), 'latin1');
  if (at < 0 || at >= end) return undefined;
  const from = at + marker.length;
  const newline = bytes.indexOf(10, from);
  return bytes.toString('latin1', from, newline < 0 ? bytes.length : Math.min(newline, end)).trim();
}
