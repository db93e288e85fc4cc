/** What follows a commit: the boot loader's other copy, keys. Each is tried at each start until it is done; none of it can make a good version a bad one. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { FileReference, ReleaseManifest } from '../../release/document.ts';
import type { BootDisk } from './boot-disk.ts';
import { bootOnceThrough, espPlace } from './boot-entry.ts';
import type { RunningVersion } from './facts.ts';
import { updateKeys } from './keys.ts';
import { advanceLoader, isCurrentLoader } from './loader.ts';
import { createMachineDisk, UPDATE_STATE } from './machine-disk.ts';
import { trustedSigners } from './machine-facts.ts';
import type { PendingAction } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';

const FILES = `${UPDATE_STATE}/after`;
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

/** Does what can be done now; returns what is left, and why. */
export async function performPending(
  system: System,
  disk: BootDisk,
  running: RunningVersion,
): Promise<readonly string[]> {
  const { pending } = await loadRecord(disk);
  if (running.trial || pending.length === 0) return [];
  const left: PendingAction[] = [];
  const notes: string[] = [];
  for (const action of pending) {
    const note = await perform(system, disk, running, action).catch((error: unknown) =>
      error instanceof SlipwayError ? error.message : String(error),
    );
    if (note === undefined) continue;
    notes.push(note);
    if (!note.startsWith(GIVEN_UP)) left.push(action);
  }
  await changeRecord(disk, (record) => ({ ...record, pending: left }));
  for (const name of system.list(FILES))
    if (!left.some((action) => action.sha256 === name)) system.remove(`${FILES}/${name}`);
  return notes;
}

const GIVEN_UP = 'given up: ';

/** `undefined`: done. */
async function perform(
  system: System,
  disk: BootDisk,
  running: RunningVersion,
  action: PendingAction,
): Promise<string | undefined> {
  const bytes = (): Uint8Array | undefined => readPendingFile(system, action.sha256);
  if (action.kind === 'loader') {
    const place = await espPlace(system, disk);
    const state = await advanceLoader(disk, {
      architecture: running.architecture,
      sha256: action.sha256,
      bytes,
      bootOnceThrough: async (path) => {
        if (place === undefined) return false;
        await bootOnceThrough(disk, place, path);
        return true;
      },
    });
    if (state === 'done') return undefined;
    return state === 'waiting'
      ? `the boot loader ${action.version} is tried at the next start`
      : `${GIVEN_UP}the boot loader ${action.version} cannot be installed here`;
  }
  const trusted = await trustedSigners(disk);
  const auth = bytes();
  if (auth === undefined) return `${GIVEN_UP}the update of ${action.variable} is not here any more`;
  // Without Secure Boot the firmware has no owner whose signature it could check.
  if (trusted === undefined) return `${GIVEN_UP}Secure Boot is off, ${action.variable} is not changed`;
  const update = await updateKeys(disk, action.variable, auth, trusted, await loadRecord(disk));
  if (update.state === 'done') return undefined;
  return update.state === 'waiting' ? update.why : `${GIVEN_UP}${update.why}`;
}

function readPendingFile(system: System, digest: string): Uint8Array | undefined {
  const fd = system.open(`${FILES}/${digest}`, { access: 'read', noFollow: true });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, LIMIT_BYTES);
  system.close(fd);
  return bytes === 'failed' || bytesToHex(sha256(bytes)) !== digest ? undefined : bytes;
}
