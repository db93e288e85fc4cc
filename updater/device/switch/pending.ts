/** What follows a commit: the boot loader's copies, keys. Each is tried at each start until it is done; none of it can make a good version a bad one. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { FileReference, ReleaseManifest } from '../../release/document.ts';
import { PATHS } from '../paths.ts';
import type { BootDisk } from './boot-disk.ts';
import { bootFiles } from './boot-files.ts';
import type { RunningVersion } from './facts.ts';
import { updateKeys } from './keys.ts';
import { isCurrentLoader } from './loader.ts';
import { createMachineDisk } from './machine-disk.ts';
import { isStateEncrypted, trustedSigners } from './machine-facts.ts';
import { performLoader } from './pending-loader.ts';
import type { PendingAction } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';

const FILES = PATHS.after;
const LIMIT_BYTES = 4 * 1024 * 1024;

/**
 * The small files that must lie here before the switch (storePendingFile): after it there may be no network. A boot loader that this machine
 * has already is none of them.
 */
export async function pendingFiles(
  system: System,
  { architecture, loader, secureBoot = [] }: ReleaseManifest,
): Promise<readonly FileReference[]> {
  const keys = secureBoot.map(({ auth }) => auth);
  if (loader === undefined) return keys;
  const current = await isCurrentLoader(createMachineDisk(system), { architecture, sha256: loader.sha256 });
  return current ? keys : [loader, ...keys];
}

/** Keeps one of them. Throws `switch.pending-file` where it is not what was published, or the state partition is full. */
export async function storePendingFile(
  system: System,
  file: FileReference,
  bytes: Uint8Array,
): Promise<void> {
  if (bytes.length !== file.sizeBytes || bytesToHex(sha256(bytes)) !== file.sha256)
    throw new SlipwayError('switch.pending-file', 'a file of the release is not what was published');
  system.makeDirectory(FILES, 0o700);
  const path = `${FILES}/${file.sha256}`;
  const fd = system.open(path, { access: 'write', create: { mode: 0o600 } });
  const written = fd >= 0 && system.writeAt(fd, 0, bytes);
  if (fd >= 0) system.close(fd);
  const { code } = await runProgram(system, ['busybox', 'sync', path, FILES]);
  if (written && code === 0) return;
  system.remove(path);
  throw new SlipwayError(
    'switch.pending-file',
    'the state partition does not take the files of the release',
    {
      hint: 'it may be full: see df /var',
    },
  );
}

/** What is left to be done, for people. `refused`: it will not come to pass by itself, but is tried again at each start. */
export interface FollowUp {
  readonly what: string;
  readonly state: 'waiting' | 'refused';
  readonly why: string;
}

/**
 * Whether keys of the firmware are changed where the TPM would not open the state partition any more: `recovery-key-at-hand` is what an operator says who
 * will open it after the next start (docs/encryption.md).
 */
export type SealedState = 'leave' | 'recovery-key-at-hand';

/** Does what can be done now; returns what is left, and why. */
export async function performPending(
  system: System,
  disk: BootDisk,
  running: RunningVersion,
  sealed: SealedState = 'leave',
): Promise<readonly FollowUp[]> {
  const { pending } = await loadRecord(disk);
  if (running.trial || pending.length === 0) return [];
  const left: FollowUp[] = [];
  const done: PendingAction[] = [];
  for (const action of pending) {
    const followUp = await perform(system, disk, running, action, sealed).catch((error: unknown) =>
      waiting(action, error instanceof SlipwayError ? error.message : String(error)),
    );
    if (followUp === undefined) done.push(action);
    else left.push(followUp);
  }
  if (done.length > 0)
    await changeRecord(disk, (record) => ({
      ...record,
      pending: record.pending.filter((action) => !done.some((other) => isSame(action, other))),
    }));
  const { pending: kept, trial } = await loadRecord(disk);
  const wanted = [...kept, ...(trial?.pending ?? [])].map((action) => action.sha256);
  for (const name of system.list(FILES)) if (!wanted.includes(name)) system.remove(`${FILES}/${name}`);
  return left;
}

/** `undefined`: done. */
async function perform(
  system: System,
  disk: BootDisk,
  running: RunningVersion,
  action: PendingAction,
  sealed: SealedState,
): Promise<FollowUp | undefined> {
  const bytes = (): Uint8Array | undefined => readPendingFile(system, action.sha256);
  const trusted = await trustedSigners(disk);
  if (action.kind === 'loader') {
    const result = await performLoader(system, disk, running, { action, bytes, trusted });
    return result.state === 'done' ? undefined : { what: describe(action), ...result };
  }
  const auth = bytes();
  if (auth === undefined) return refused(action, 'its file is not here any more');
  // Without Secure Boot the firmware has no owner whose signature it could check.
  if (trusted === undefined) return refused(action, 'Secure Boot is off');
  const update = await updateKeys(disk, action.variable, auth, {
    bootFiles: () => bootFiles(system, disk, running.architecture),
    isSealed: sealed === 'leave' && isStateEncrypted(system),
  });
  return update.state === 'done' ? undefined : { what: describe(action), ...update };
}

function describe(action: PendingAction): string {
  return action.kind === 'loader' ? `boot loader ${action.version}` : `Secure Boot's ${action.variable}`;
}

function waiting(action: PendingAction, why: string): FollowUp {
  return { what: describe(action), state: 'waiting', why };
}

function refused(action: PendingAction, why: string): FollowUp {
  return { what: describe(action), state: 'refused', why };
}

function isSame(a: PendingAction, b: PendingAction): boolean {
  return (
    a.kind === b.kind &&
    a.sha256 === b.sha256 &&
    (a.kind === 'variable' ? a.variable : '') === (b.kind === 'variable' ? b.variable : '')
  );
}

function readPendingFile(system: System, digest: string): Uint8Array | undefined {
  const fd = system.open(`${FILES}/${digest}`, { access: 'read', noFollow: true });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, LIMIT_BYTES);
  system.close(fd);
  return bytes === 'failed' || bytesToHex(sha256(bytes)) !== digest ? undefined : bytes;
}
