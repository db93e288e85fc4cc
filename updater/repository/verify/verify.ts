/** Checks a repository as all its clients together would: metadata, every file, every payload applied, a path from every version. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeltaReference, ReleaseEntry, ReleaseManifest } from '../../release/document.ts';
import { payloadName, releaseTargetName } from '../../release/names.ts';
import { isWhole, repositoryFiles, type RepositoryFiles } from '../repository/files.ts';
import { imageDigest, isImage } from '../release/images.ts';
import type { ImageKind, PayloadTools } from '../release/payload-tools.ts';
import { payloadsOf, readManifest, releasesOf } from '../release/read.ts';
import { readAsClient } from './client.ts';
import { strandedVersions } from './paths.ts';

export interface VerifyOptions {
  readonly root: Uint8Array;
  readonly tools: PayloadTools;
  /** `files`: whether they are there and whole. `payloads`: also whether each makes what it should. */
  readonly depth: 'files' | 'payloads';
  readonly now?: Date;
  readonly progress?: (what: string, done: number, total: number) => void;
}

export interface Verification {
  readonly releases: number;
  readonly files: number;
  /** Payloads that were applied. */
  readonly applied: number;
  /** Deltas whose source is in the repository no more; their files are whole. */
  readonly unappliable: number;
  readonly problems: readonly string[];
}

/** Throws `repository.refused` when no client would even begin. */
export async function verifyRepository(directory: string, options: VerifyOptions): Promise<Verification> {
  const files = repositoryFiles(directory);
  const problems: string[] = [];
  const view = await readAsClient(files, options.root, options.now);
  for (const { channel, reason } of view.brakeFaults) problems.push(`brake of ${channel}: ${reason}`);
  const entries = releasesOf(view.targets);
  for (const { version, channel, image, architecture, reaches, newest } of strandedVersions(entries)) {
    const from = version === '0' ? 'machines older than all releases' : `machines on ${version}`;
    problems.push(
      `${image} (${architecture}) on ${channel}: ${from} get ${reaches === undefined ? 'nowhere' : `to ${reaches} only`}, not to ${newest}`,
    );
  }
  const manifests = new Map<ReleaseEntry, ReleaseManifest>();
  for (const entry of entries) {
    try {
      manifests.set(entry, await readManifest(files, view.targets, entry));
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
    }
  }
  const whole = await checkFiles(files, [...manifests.values()], problems, options);
  const counts =
    options.depth === 'files'
      ? { applied: 0, unappliable: 0 }
      : await applyAll(files, [...manifests.values()], whole, problems, options);
  return {
    releases: entries.length,
    files: view.metadata.size + manifests.size + whole.size,
    ...counts,
    problems,
  };
}

/** The digests of those that are whole. */
async function checkFiles(
  files: RepositoryFiles,
  manifests: readonly ReleaseManifest[],
  problems: string[],
  { progress }: VerifyOptions,
): Promise<ReadonlySet<string>> {
  const all = new Map(manifests.flatMap(payloadsOf).map((file) => [file.sha256, file]));
  const whole = new Set<string>();
  for (const file of all.values()) {
    const name = payloadName(file.sha256);
    const path = join(files.directory, name);
    progress?.('files', whole.size, all.size);
    if (await isWhole(path, file)) whole.add(file.sha256);
    else problems.push(`${name} is ${existsSync(path) ? 'damaged' : 'missing'}`);
  }
  return whole;
}

async function applyAll(
  files: RepositoryFiles,
  manifests: readonly ReleaseManifest[],
  whole: ReadonlySet<string>,
  problems: string[],
  { tools, progress }: VerifyOptions,
): Promise<{ readonly applied: number; readonly unappliable: number }> {
  const scratch = await mkdtemp(join(tmpdir(), 'slipway-verify-'));
  let [applied, unappliable] = [0, 0];
  const kinds = ['root', 'uki'] as const;
  const content = (kind: ImageKind, manifest: ReleaseManifest) => manifest[kind];
  const total = manifests.reduce((sum, { root, uki }) => sum + 2 + root.deltas.length + uki.deltas.length, 0);
  const attempt = async (what: string, work: () => Promise<boolean>): Promise<boolean> => {
    progress?.(what, applied + unappliable, total);
    try {
      if (await work()) return true;
      problems.push(`${what}: it makes something else`);
    } catch (error) {
      problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      applied++;
    }
    return false;
  };
  try {
    // Images by digest, each made from its full payload once.
    const made = new Map<string, string>();
    for (const manifest of manifests)
      for (const kind of kinds) {
        const { full } = content(kind, manifest);
        const digest = imageDigest(kind, manifest);
        if (!whole.has(full.sha256) || made.has(digest)) continue;
        const output = join(scratch, digest);
        const what = `${releaseTargetName(manifest)}: full payload of the ${nameOf(kind)}`;
        const good = await attempt(what, async () => {
          await tools.apply(join(files.directory, payloadName(full.sha256)), full, undefined, output);
          return isImage(kind, output, manifest, files);
        });
        if (good) made.set(digest, output);
      }
    for (const manifest of manifests)
      for (const kind of kinds)
        for (const delta of content(kind, manifest).deltas.filter(({ sha256 }) => whole.has(sha256))) {
          const source = made.get(delta.fromHash);
          if (source === undefined) {
            unappliable++;
            continue;
          }
          const output = join(scratch, 'target');
          await attempt(deltaName(manifest, kind, delta), async () => {
            await tools.apply(join(files.directory, payloadName(delta.sha256)), delta, source, output);
            return isImage(kind, output, manifest, files);
          });
          await rm(output, { force: true });
        }
    return { applied, unappliable };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function deltaName(manifest: ReleaseManifest, kind: ImageKind, { from }: DeltaReference): string {
  return `${releaseTargetName(manifest)}: delta of the ${nameOf(kind)} from ${from}`;
}

function nameOf(kind: ImageKind): string {
  return kind === 'uki' ? 'UKI' : 'root';
}
