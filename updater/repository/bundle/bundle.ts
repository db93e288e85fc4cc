/**
 * What machines without a network need, of metadata and payloads: in one file (a tar of a repository's files, uncompressed as they are compressed
 * already), or as a folder, for a stick. `slip update apply --bundle` reads both.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import { publish, temporaryName } from '../../../builder/cache/directory.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { compareVersions } from '../../../spec/version.ts';
import type { ReleaseEntry, ReleaseManifest } from '../../release/document.ts';
import { payloadName, releaseTargetName } from '../../release/names.ts';
import { pathFrom } from '../../release/path.ts';
import { chooseReleases, readManifest, releasesOf } from '../release/read.ts';
import { repositoryFiles } from '../repository/files.ts';
import { targetFileName, TIMESTAMP } from '../repository/layout.ts';
import { readAsClient } from '../verify/client.ts';

export interface BundleOptions {
  /** The root that is trusted: what goes into a bundle is checked as a client would. */
  readonly root: Uint8Array;
  readonly image?: string;
  readonly architecture?: string;
  /** Unless told, the newest on any channel. */
  readonly version?: string;
  /** Machines that run these get there: deltas from them, and the releases on their way. Without, every machine does, by full payloads. */
  readonly from: readonly string[];
  /** With `from`: whether full payloads come along, for machines whose old version is damaged. */
  readonly full: 'with' | 'without';
  readonly form: 'tar' | 'folder';
  readonly now?: Date;
  readonly progress?: (doneBytes: number, totalBytes: number) => void;
}

export interface Bundle {
  readonly releases: readonly ReleaseEntry[];
  readonly files: number;
  readonly sizeBytes: number;
  /** From then on machines refuse it, and a new one has to be made: what it holds is signed for so long. */
  readonly validUntil: Date;
}

/** A tar is written as a whole or not at all, the same bytes for the same repository. */
export async function makeBundle(directory: string, output: string, options: BundleOptions): Promise<Bundle> {
  const files = repositoryFiles(directory);
  const view = await readAsClient(files, options.root, options.now);
  const all = releasesOf(view.targets);
  const releases = chosen(all, options);
  // A client walks on from whatever root it has: all of them come along.
  const roots = (await files.list()).filter((name) => /^\d+\.root\.json$/.test(name));
  const names = [...new Set([...view.metadata, ...roots])].sort(byNumber);
  const payloads: string[] = [];
  for (const entry of releases) {
    const manifest = await readManifest(files, view.targets, entry);
    const target = view.targets.targets.get(releaseTargetName(entry));
    names.push(targetFileName(target?.sha256 ?? '', releaseTargetName(entry)));
    payloads.push(...payloadNames(manifest, all, options));
  }
  const members = [...names, ...new Set(payloads)];
  const sizes = await Promise.all(
    members.map(async (name) => (await stat(join(directory, name)).catch(missing(name))).size),
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  let done = 0;
  const tell = (size: number): void => options.progress?.((done += size), total);
  if (options.form === 'folder') await writeFolder(directory, output, members, sizes, tell);
  else await writeTar(directory, output, members, sizes, tell);
  const sizeBytes = options.form === 'folder' ? total : (await stat(output)).size;
  return { releases, files: members.length, sizeBytes, validUntil: view.validUntil };
}

async function writeTar(
  directory: string,
  output: string,
  members: readonly string[],
  sizes: readonly number[],
  tell: (size: number) => void,
): Promise<void> {
  const temporary = temporaryName(output);
  try {
    const archive = pack();
    const written = pipeline(archive, createWriteStream(temporary, { flags: 'wx' }));
    for (const [index, name] of members.entries()) {
      await addFile(archive, directory, name, sizes[index] ?? 0);
      tell(sizes[index] ?? 0);
    }
    archive.finalize();
    await written;
    const handle = await open(temporary, 'r+');
    await handle.sync().finally(() => handle.close());
    await publish(temporary, output);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** What is there already stays: only timestamp.json changes, and it comes last. */
async function writeFolder(
  directory: string,
  output: string,
  members: readonly string[],
  sizes: readonly number[],
  tell: (size: number) => void,
): Promise<void> {
  await mkdir(output, { recursive: true });
  const files = repositoryFiles(output);
  const inOrder = [...members.filter((name) => name !== TIMESTAMP), TIMESTAMP];
  for (const name of inOrder) {
    const size = sizes[members.indexOf(name)] ?? 0;
    const found = await stat(join(output, name)).catch(() => undefined);
    if (name === TIMESTAMP || found?.size !== size) {
      const temporary = temporaryName(join(output, name));
      try {
        await copyFile(join(directory, name), temporary);
        await files.adopt(temporary, name);
      } finally {
        await rm(temporary, { force: true });
      }
    }
    tell(size);
  }
}

/** The releases that are asked for, and those that machines pass through on their way. */
function chosen(all: readonly ReleaseEntry[], options: BundleOptions): readonly ReleaseEntry[] {
  const meant = all.filter(
    (entry) =>
      (options.image === undefined || entry.image === options.image) &&
      (options.architecture === undefined || entry.architecture === options.architecture),
  );
  const offered = meant.filter(({ withdrawn }) => withdrawn === undefined);
  const newest = [...offered].sort((a, b) => compareVersions(b.version, a.version))[0];
  const version = options.version ?? newest?.version;
  if (version === undefined)
    throw new SlipwayError('release.unknown', 'there is no release to put into a bundle', {
      hint: 'publish one: slipway release add',
    });
  const goals = chooseReleases(meant, { version });
  const upTo = meant.filter((entry) => compareVersions(entry.version, version) <= 0);
  const onTheWay = options.from.flatMap((from) =>
    goals.flatMap((goal) =>
      pathFrom(
        from,
        upTo.filter((entry) => isSameImage(entry, goal)),
      ),
    ),
  );
  return upTo.filter((entry) => goals.includes(entry) || onTheWay.includes(entry.version));
}

function payloadNames(
  { root, uki, loader, secureBoot }: ReleaseManifest,
  all: readonly ReleaseEntry[],
  { from, full }: BundleOptions,
): readonly string[] {
  const sources = new Set([...from, ...from.flatMap((version) => pathFrom(version, all))]);
  const deltas = [...root.deltas, ...uki.deltas].filter((delta) => sources.has(delta.from));
  const whole = from.length === 0 || full === 'with' ? [root.full, uki.full, root.blockList] : [];
  const small = [...(loader === undefined ? [] : [loader]), ...(secureBoot ?? []).map(({ auth }) => auth)];
  return [...small, ...deltas, ...whole].map(({ sha256 }) => payloadName(sha256));
}

async function addFile(archive: Pack, directory: string, name: string, size: number): Promise<void> {
  const header = { name, size, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 };
  await new Promise<void>((resolve, reject) => {
    const entry = archive.entry(header, (error) => (error ? reject(error) : resolve()));
    pipeline(createReadStream(join(directory, name)), entry).catch(reject);
  });
}

function isSameImage(a: ReleaseEntry, b: ReleaseEntry): boolean {
  return a.image === b.image && a.architecture === b.architecture;
}

/** `9.root.json` before `10.root.json`. */
function byNumber(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

function missing(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new SlipwayError('repository.damaged', `${name} is missing`, {
      cause,
      hint: 'slipway repo verify tells what else is damaged',
    });
  };
}
