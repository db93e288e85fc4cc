/** The boot loader on this machine: a new one by stages, else both copies kept alike, and both known to the firmware. */
import type { System } from '../../../system/system.ts';
import type { BootDisk } from './boot-disk.ts';
import { bootOnceThrough, espPlace, isNext, keepEntry } from './boot-entry.ts';
import type { RunningVersion } from './facts.ts';
import { advanceLoader, LOADER_COPIES, mendLoader } from './loader.ts';
import { imageCertificates } from './pe-certificates.ts';
import type { PendingAction } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { distrustImage, type TrustedSigners } from './signature-list.ts';

/** Starts through a new one that may come to nothing: a power cut may have been one of them. */
const MOST_TRIES = 3;

export type LoaderResult =
  { readonly state: 'done' } | { readonly state: 'waiting' | 'refused'; readonly why: string };

export interface PendingLoader {
  readonly action: PendingAction & { readonly kind: 'loader' };
  /** The new one, where it is still here. */
  readonly bytes: () => Uint8Array | undefined;
  /** `undefined`: Secure Boot is off. */
  readonly trusted: TrustedSigners | undefined;
}

export async function performLoader(
  system: System,
  disk: BootDisk,
  { architecture }: RunningVersion,
  { action, bytes, trusted }: PendingLoader,
): Promise<LoaderResult> {
  const why = trusted === undefined ? undefined : wouldNotStart(bytes(), trusted);
  if (why !== undefined) return { state: 'refused', why };
  const place = await espPlace(system, disk);
  const once = async (path: string): Promise<boolean> => {
    if (place === undefined) return false;
    await bootOnceThrough(disk, place, path);
    return true;
  };
  const state = await advanceLoader(disk, {
    architecture,
    sha256: action.sha256,
    bytes,
    bootOnceThrough: once,
    mayTry: async (path) => (await isNext(disk, path)) || countTry(disk, action.sha256),
  });
  switch (state) {
    case 'done':
      return { state };
    case 'waiting':
      return { state, why: 'it is tried at the next start of the machine' };
    case 'failed':
      return {
        state: 'refused',
        why: `the machine was to be started through it ${MOST_TRIES} times, and came up through the old one: that stays`,
      };
    case 'impossible':
      return { state: 'refused', why: 'this firmware does not let it be tried' };
  }
}

/** What both copies need beside an update of them. Returns what had rotted, for people. */
export async function keepLoaders(
  system: System,
  disk: BootDisk,
  { architecture }: RunningVersion,
): Promise<string | undefined> {
  const place = await espPlace(system, disk);
  const copies = LOADER_COPIES[architecture];
  if (place === undefined || copies === undefined) return undefined;
  await keepEntry(disk, place, copies[0]);
  const { pending } = await loadRecord(disk);
  const action = pending.find(({ kind }) => kind === 'loader');
  const keep = action !== undefined && (await isToBeTried(disk, action, copies)) ? action.sha256 : undefined;
  const mended = await mendLoader(disk, {
    architecture,
    ...(keep === undefined ? {} : { keep }),
    bootOnceThrough: async (path) => {
      await bootOnceThrough(disk, place, path);
      return true;
    },
  });
  return mended && action === undefined ? 'a copy of the boot loader' : undefined;
}

async function isToBeTried(
  disk: BootDisk,
  action: PendingAction,
  copies: readonly string[],
): Promise<boolean> {
  if (action.kind !== 'loader' || (action.tries ?? 0) < MOST_TRIES) return true;
  for (const path of copies) if (await isNext(disk, path)) return true;
  return false;
}

function wouldNotStart(bytes: Uint8Array | undefined, trusted: TrustedSigners): string | undefined {
  if (bytes === undefined) return undefined;
  const certificates = imageCertificates((offset, length) => bytes.subarray(offset, offset + length));
  return certificates === undefined ? 'its signature cannot be read' : distrustImage(certificates, trusted);
}

/** False when it was tried often enough. Durable before it is tried. */
async function countTry(disk: BootDisk, sha256: string): Promise<boolean> {
  let allowed = false;
  await changeRecord(disk, (record) => ({
    ...record,
    pending: record.pending.map((action) => {
      if (action.kind !== 'loader' || action.sha256 !== sha256) return action;
      const tries = action.tries ?? 0;
      allowed = tries < MOST_TRIES;
      return allowed ? { ...action, tries: tries + 1 } : action;
    }),
  }));
  return allowed;
}
