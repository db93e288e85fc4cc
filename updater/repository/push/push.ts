/**
 * Brings a repository to where machines fetch it from. Clients see the old state or the new one at every moment: all names but timestamp.json are new
 * ones, and that comes last. Cut off anywhere, it goes on when it is run again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../../../spec/error.ts';
import { metadataName, TIMESTAMP } from '../repository/layout.ts';
import { parseMetaList, type MetaListFile } from '../repository/signed-file.ts';
import { planRemoval, planStages, readLocal, type LocalState, type Stage } from './plan.ts';
import { PATIENCE, retry, type Patience } from './retry.ts';
import type { LocalFile, PushTarget } from './target.ts';
import { readFile } from 'node:fs/promises';

export interface PushOptions {
  readonly mode: 'push' | 'plan';
  /** `collected`: what garbage collection took from the repository goes from the target, too. */
  readonly remove: 'nothing' | 'collected';
  /** Default: what the target bears. */
  readonly parallel?: number;
  readonly patience?: Patience;
  /** For so long the new timestamp may stay invisible. */
  readonly visibleWithinMs?: number;
  readonly progress?: (what: string, doneBytes: number, totalBytes: number) => void;
  readonly note?: (text: string) => void;
}

export interface Pushed {
  readonly target: string;
  readonly uploaded: readonly { readonly name: string; readonly sizeBytes: number }[];
  /** Files that were there already. */
  readonly present: number;
  readonly timestamp: { readonly version: number; readonly changed: boolean };
  readonly removed: readonly string[];
  /** What `remove` takes the next time: machines may still be fetching it. */
  readonly waiting: readonly string[];
}

export async function pushRepository(
  directory: string,
  target: PushTarget,
  options: PushOptions,
): Promise<Pushed> {
  const note = options.note ?? ((): void => undefined);
  const again = <T>(what: string, work: () => Promise<T>): Promise<T> =>
    retry(`${target.address}: ${what}`, options.patience ?? PATIENCE, note, work);
  const local = await readLocal(directory);
  const before = await again('list', () => target.list());
  const old = await readRemote(local, before, (name) => again(name, () => target.read(name)));
  const stages = planStages(local.files, before);
  const lacking = stages.flatMap(({ files }) => files);
  const changed = old.timestamp === undefined || !equal(old.timestamp.bytes, local.timestamp.bytes);
  // Whoever began with the releases that were there until now still finds all of them.
  const unneeded = options.remove === 'collected' ? planRemoval(local.files, before) : [];
  const settled = old.targetsVersion !== undefined && old.targetsVersion === local.targetsVersion;
  const result: Pushed = {
    target: target.address,
    uploaded: lacking.map(({ name, sizeBytes }) => ({ name, sizeBytes })),
    present: local.files.length - lacking.length,
    timestamp: { version: local.timestamp.version, changed },
    removed: settled ? unneeded : [],
    waiting: settled ? [] : unneeded,
  };
  if (options.mode === 'plan') return result;

  await uploadStages(target, stages, options, again);
  if (lacking.length > 0) await checkThere(target, local, again);
  if (changed) {
    const { bytes } = local.timestamp;
    await again(TIMESTAMP, () => target.replace(TIMESTAMP, bytes));
    await waitVisible(target, bytes, options.visibleWithinMs ?? 120_000, again);
  }
  if (result.removed.length > 0) await again('remove', () => target.remove(result.removed));
  return result;
}

type Again = <T>(what: string, work: () => Promise<T>) => Promise<T>;

interface RemoteState {
  readonly timestamp: MetaListFile | undefined;
  readonly targetsVersion: number | undefined;
}

/** Throws `push.other-repository` when another one lies there, `push.newer` when what lies there is newer: it would be taken back. */
async function readRemote(
  local: LocalState,
  present: ReadonlyMap<string, number>,
  read: (name: string) => Promise<Buffer | undefined>,
): Promise<RemoteState> {
  const rootName = metadataName('root', 1);
  const root = present.has(rootName) ? await read(rootName) : undefined;
  const ownRoot = local.files.find(({ name }) => name === rootName);
  if (root !== undefined && ownRoot !== undefined && !root.equals(await readFile(ownRoot.path)))
    throw new SlipwayError(
      'push.other-repository',
      'another repository lies there: its root is another one',
      {
        hint: 'push to an empty place',
      },
    );
  const bytes = present.has(TIMESTAMP) ? await read(TIMESTAMP) : undefined;
  if (bytes === undefined) return { timestamp: undefined, targetsVersion: undefined };
  const timestamp = parseMetaList(bytes, TIMESTAMP);
  const own = local.timestamp;
  if (timestamp.version > own.version || (timestamp.version === own.version && !equal(bytes, own.bytes)))
    throw new SlipwayError(
      'push.newer',
      `timestamp ${timestamp.version} lies there, and this repository has ${own.version}${timestamp.version === own.version ? ', another one' : ''}: machines would refuse it`,
      { hint: 'push from where it was published last, or sign a newer one: slipway repo refresh' },
    );
  const snapshotName = metadataName('snapshot', timestamp.meta['snapshot.json']?.version ?? 0);
  const snapshot = present.has(snapshotName) ? await read(snapshotName) : undefined;
  const meta = snapshot === undefined ? undefined : parseMetaList(snapshot, snapshotName).meta;
  return { timestamp, targetsVersion: meta?.['targets.json']?.version };
}

async function uploadStages(
  target: PushTarget,
  stages: readonly Stage[],
  options: PushOptions,
  again: Again,
): Promise<void> {
  const all = stages.flatMap(({ files }) => files);
  const totalBytes = all.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  for (const { name: stage, files } of stages) {
    const parallel = stage === 'roots' ? 1 : (options.parallel ?? target.parallel);
    await inParallel(batches(files, target.batch, parallel), parallel, async (batch) => {
      const open = new Set(batch);
      const done = (file: LocalFile): void => {
        if (!open.delete(file)) return;
        doneBytes += file.sizeBytes;
        options.progress?.(file.name, doneBytes, totalBytes);
      };
      const what = batch.length === 1 ? (batch[0]?.name ?? stage) : `${batch.length} ${stage}`;
      await again(what, () => target.upload([...open], done));
      batch.forEach(done);
    });
  }
}

/** Even shares for all who work in parallel, each no larger than the target likes. */
function batches(
  files: readonly LocalFile[],
  most: number,
  parallel: number,
): readonly (readonly LocalFile[])[] {
  const count = Math.max(Math.ceil(files.length / most), Math.min(parallel, files.length));
  // Dealt like cards by size, so that no share has all the large ones; in order, where one goes after the other.
  const dealt = parallel === 1 ? files : [...files].sort((a, b) => b.sizeBytes - a.sizeBytes);
  const share = Math.ceil(files.length / Math.max(count, 1));
  return Array.from({ length: count }, (_, place) =>
    parallel === 1
      ? dealt.slice(place * share, (place + 1) * share)
      : dealt.filter((_file, index) => index % count === place),
  ).filter((batch) => batch.length > 0);
}

/** No more than `limit` at a time. After a failure, none is begun; those that run are waited for. */
async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const rest = [...items];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = rest.shift(); item !== undefined && failures.length === 0; item = rest.shift())
      await work(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: Math.max(1, limit) }, worker));
  if (failures.length > 0) throw failures[0];
}

/** Nothing is announced that is not there. Places that list late are given time. */
async function checkThere(target: PushTarget, local: LocalState, again: Again): Promise<void> {
  await again('check', async () => {
    const present = await target.list();
    const missing = local.files.filter(({ name, sizeBytes }) => present.get(name) !== sizeBytes);
    if (missing.length > 0)
      throw new Error(
        `not there, or not whole, after the upload: ${missing.map(({ name }) => name).join(', ')}`,
      );
  });
}

async function waitVisible(
  target: PushTarget,
  bytes: Uint8Array,
  withinMs: number,
  again: Again,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  for (let pauseMs = 200; ; pauseMs = Math.min(pauseMs * 2, 5000)) {
    const seen = await again(TIMESTAMP, () => target.read(TIMESTAMP));
    if (seen !== undefined && equal(seen, bytes)) return;
    if (Date.now() + pauseMs > deadline)
      throw new SlipwayError(
        'push.not-visible',
        `${target.address}: the new ${TIMESTAMP} is not visible after ${Math.round(withinMs / 1000)} s`,
        {
          hint: 'everything was sent; is a cache in between, or is somebody else pushing? Then run it again',
        },
      );
    await sleep(pauseMs);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.from(a).equals(b);
}
