/** The UKI: a file, made from the running version's where a delta fits. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { PayloadReference, ReleaseManifest, UkiContent } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import { digestsOfFiles } from './digests.ts';
import type { ApplyContext } from './facts.ts';
import { fetchHeader } from './header.ts';
import { openMedium } from './medium.ts';
import { withScratch } from './scratch.ts';
import { applyOperations, blobsFrom, tasksFrom } from './operations.ts';

export interface UkiOptions extends ApplyContext {
  readonly manifest: ReleaseManifest;
  /** The running version's UKI; none where it cannot be found. */
  readonly sourcePath: string | undefined;
  /** Written anew. */
  readonly outputPath: string;
}

/** Throws `update.uki` when the result is not the release's, and what fetching throws. */
export async function applyUki(system: System, options: UkiOptions): Promise<'delta' | 'full'> {
  return withScratch(system, options.scratch, () => makeUki(system, options));
}

async function makeUki(system: System, options: UkiOptions): Promise<'delta' | 'full'> {
  const { sourcePath } = options;
  const { uki } = options.manifest;
  const delta = sourcePath === undefined ? undefined : await fittingDelta(system, uki, sourcePath);
  if (delta !== undefined) {
    if (await tryDelta(system, options, delta)) return 'delta';
    if (options.mayFetch?.('full', uki.full.sizeBytes) === false)
      throw new SlipwayError('update.not-allowed', `the UKI would take another ${uki.full.sizeBytes} bytes`);
  }
  await make(system, options, uki.full, undefined);
  await check(system, options);
  return 'full';
}

/** A delta that turns out not to fit costs its bytes, no more: the full payload makes the file then. */
async function tryDelta(system: System, options: UkiOptions, delta: PayloadReference): Promise<boolean> {
  try {
    if (!(await make(system, options, delta, options.sourcePath))) return false;
    await check(system, options);
    return true;
  } catch (error) {
    const { code } = error instanceof SlipwayError ? error : { code: '' };
    if (code === 'update.uki' || code === 'fetch.missing' || code.startsWith('payload.')) return false;
    throw error;
  }
}

async function fittingDelta(
  system: System,
  uki: UkiContent,
  sourcePath: string,
): Promise<PayloadReference | undefined> {
  if (uki.deltas.length === 0) return undefined;
  const digest = await digestOfFile(system, sourcePath);
  return uki.deltas.find(({ fromHash }) => fromHash === digest);
}

/** False when the old file could not be used all the way. */
async function make(
  system: System,
  options: UkiOptions,
  reference: PayloadReference,
  sourcePath: string | undefined,
): Promise<boolean> {
  const sourceBytes = sourcePath === undefined ? 0 : (system.status(sourcePath)?.sizeBytes ?? 0);
  const header = await fetchHeader(system, options, reference, {
    targetBytes: options.manifest.uki.sizeBytes,
    sourceBytes,
  });
  const fresh = system.open(options.outputPath, { access: 'write', create: { mode: 0o644 } });
  if (fresh < 0) throw new SlipwayError('update.open', `cannot write ${options.outputPath}`);
  system.close(fresh);
  const source = sourcePath === undefined ? undefined : openMedium(system, sourcePath, 'read');
  const target = openMedium(system, options.outputPath, 'read-write');
  try {
    const bad = await applyOperations(system, {
      context: options,
      phase: 'uki',
      name: payloadName(reference.sha256),
      tasks: tasksFrom(header, 0),
      blobs: blobsFrom(header, 0),
      source,
      target,
      targetBytes: header.targetBytes,
      done: () => Promise.resolve(),
    });
    return bad.length === 0;
  } finally {
    source?.close();
    target.close();
  }
}

async function check(system: System, { manifest, outputPath }: UkiOptions): Promise<void> {
  if ((await digestOfFile(system, outputPath)) !== manifest.uki.sha256)
    throw new SlipwayError('update.uki', 'the UKI that was made is not the one of the release');
}

async function digestOfFile(system: System, path: string): Promise<string> {
  const slash = path.lastIndexOf('/');
  const [digest = ''] = await digestsOfFiles(system, path.slice(0, slash), [path.slice(slash + 1)]);
  return digest;
}
