/** Makes a release's payloads, those against earlier releases in parallel, and gives them their place. What was made before is not made again. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { removeLeftovers, temporaryName, writeFileAtomic } from '../../../builder/cache/directory.ts';
import type { DeltaReference, PayloadReference, ReleaseManifest } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import type { RepositoryFiles } from '../repository/files.ts';
import { bookkeepingPath } from '../repository/layout.ts';
import type { Build } from './build.ts';
import { imageDigest, type Images } from './images.ts';
import type { ImageKind, PayloadTools } from './payload-tools.ts';

export interface Payloads {
  readonly full: PayloadReference;
  readonly deltas: readonly DeltaReference[];
}

/** One of the payloads of a release is there. */
export interface PayloadReport {
  readonly release: string;
  readonly kind: ImageKind;
  /** `undefined`: the full one. */
  readonly from: string | undefined;
  /** `undefined`: no smaller than the full payload, hence not published. */
  readonly sizeBytes: number | undefined;
  readonly fullBytes: number;
  readonly done: number;
  readonly total: number;
}

export interface PayloadContext {
  readonly files: RepositoryFiles;
  readonly tools: PayloadTools;
  readonly images: Images;
  readonly report: (report: PayloadReport) => void;
}

/** `sources` are the manifests of the releases that deltas are made from. */
export async function makePayloads(
  build: Build,
  sources: readonly ReleaseManifest[],
  context: PayloadContext,
): Promise<Readonly<Record<ImageKind, Payloads>>> {
  const { files, tools, images } = context;
  const total = 2 * (1 + sources.length);
  let done = 0;
  const kinds = {
    root: { path: build.root.path, digest: build.root.rootHash },
    uki: { path: build.uki.path, digest: build.uki.sha256 },
  };
  const tell = (
    kind: ImageKind,
    from: string | undefined,
    sizeBytes: number | undefined,
    fullBytes: number,
  ): void =>
    context.report({
      ...{ release: `${build.image} ${build.version}`, kind, from, sizeBytes, fullBytes, total },
      done: ++done,
    });

  const full = async (kind: ImageKind): Promise<PayloadReference> => {
    const { path, digest } = kinds[kind];
    const made = await once(files, `full-${digest}`, (output) => tools.makeFull(kind, path, output));
    if (made === undefined) throw new Error('a full payload is always made');
    tell(kind, undefined, made.sizeBytes, made.sizeBytes);
    return made;
  };
  const delta = async (
    kind: ImageKind,
    source: ReleaseManifest,
    { sizeBytes: fullBytes }: PayloadReference,
  ): Promise<readonly DeltaReference[]> => {
    const { path, digest } = kinds[kind];
    const fromHash = imageDigest(kind, source);
    const made = await once(files, `${fromHash}-${digest}`, async (output) =>
      tools.makeDelta(kind, await images.path(kind, source), path, output, fullBytes),
    );
    tell(kind, source.version, made?.sizeBytes, fullBytes);
    return made === undefined ? [] : [{ from: source.version, fromHash, ...made }];
  };

  await mkdir(bookkeepingPath(files.directory, 'made'), { recursive: true });
  await removeLeftovers(bookkeepingPath(files.directory, 'made'));
  const [root, uki] = await inParallel([() => full('root'), () => full('uki')]);
  if (root === undefined || uki === undefined) throw new Error('two were asked for');
  const fulls = { root, uki };
  const jobs = sources.flatMap((source) => (['root', 'uki'] as const).map((kind) => ({ kind, source })));
  const deltas = await inParallel(
    jobs.map(
      ({ kind, source }) =>
        () =>
          delta(kind, source, fulls[kind]),
    ),
  );
  const of = (kind: ImageKind): readonly DeltaReference[] =>
    deltas.filter((_, index) => jobs[index]?.kind === kind).flat();
  return { root: { full: root, deltas: of('root') }, uki: { full: uki, deltas: of('uki') } };
}

/**
 * `.slipway/made/<key>` remembers what was made, so that an interrupted `release add` goes on where it was. The payload is in its place before the
 * memory of it is.
 */
async function once(
  files: RepositoryFiles,
  key: string,
  make: (output: string) => Promise<PayloadReference | undefined>,
): Promise<PayloadReference | undefined> {
  const record = bookkeepingPath(files.directory, 'made', key);
  const known = await readMade(record);
  if (known === 'not-smaller') return undefined;
  if (known !== undefined && existsSync(join(files.directory, payloadName(known.sha256)))) return known;
  const temporary = temporaryName(record);
  try {
    const made = await make(temporary);
    if (made !== undefined) await files.adopt(temporary, payloadName(made.sha256));
    await writeFileAtomic(record, `${JSON.stringify(made ?? 'not-smaller')}\n`);
    return made;
  } finally {
    await rm(temporary, { force: true });
  }
}

const Made = z.union([
  z.literal('not-smaller'),
  z.object({ sha256: z.string(), sizeBytes: z.number(), headerBytes: z.number(), headerSha256: z.string() }),
]);

async function readMade(path: string): Promise<z.infer<typeof Made> | undefined> {
  try {
    return Made.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}

/** As many at once as there are processors; the results in the order of the tasks. */
async function inParallel<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const index = next++;
      const task = tasks[index];
      if (task === undefined) return;
      results[index] = await task();
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), tasks.length) }, worker));
  return results;
}
