/**
 * Files that stay, as a whole or not at all (decisions.md 12): a temporary file beside each, its owner, its mode, sync, rename, sync of the
 * directory. Many at once, since each program that is started costs milliseconds.
 */
import { decodeBase64 } from '../../../spec/base64.ts';
import type { System } from '../../../system/system.ts';
import type { Bytes } from '../config.ts';
import { busybox } from './command.ts';
import { openDirectory, splitPath, type Directory, type Owner } from './directory.ts';
import { done, failed, reasonOf, type StepResult } from './result.ts';

export interface WantedFile extends Owner {
  readonly path: string;
  readonly mode: number;
  /** Of missing directories on the way. */
  readonly parents: Owner;
  /** What it shall hold, by what it holds; `undefined`: as it is. */
  readonly content: (old: Uint8Array | undefined) => Uint8Array;
  /** Added to: what others could have put there by another name is not read. */
  readonly reads: boolean;
}

/** Larger ones are not compared with, nor added to. */
const READ_LIMIT_BYTES = 32 * 1024 * 1024;
const SUFFIX = '.slipway-new';

interface Staged {
  readonly index: number;
  readonly directory: Directory;
  readonly temporary: string;
  readonly target: string;
}

/** One result for each. */
export async function writeFiles(
  system: System,
  files: readonly WantedFile[],
): Promise<readonly StepResult[]> {
  const results: StepResult[] = files.map(() => done(false));
  const staged: Staged[] = [];
  for (const [index, file] of files.entries()) {
    const outcome = await stage(system, file, index);
    if ('state' in outcome) results[index] = outcome;
    else staged.push(outcome);
  }
  if (staged.length === 0) return results;
  const synced = await busybox(system, ['sync', ...staged.map(({ temporary }) => temporary)]);
  for (const { index, temporary, target } of staged) {
    if (synced.code === 0 && system.rename(temporary, target)) results[index] = done(true);
    else {
      system.remove(temporary);
      results[index] = failed(
        `${files[index]!.path} cannot be written: ${synced.code === 0 ? 'no rename' : synced.says}`,
      );
    }
  }
  await busybox(system, ['sync', ...new Set(staged.map(({ directory }) => directory.at('.')))]);
  for (const { directory } of staged) directory.close();
  return results;
}

/** The bytes of a value of a configuration. */
export function bytesOf(system: System, content: Bytes): Uint8Array {
  return 'text' in content
    ? system.encode(content.text)
    : (decodeBase64(content.base64) ?? new Uint8Array(0));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

async function stage(system: System, file: WantedFile, index: number): Promise<Staged | StepResult> {
  const { path, mode, uid, gid } = file;
  const { directory: parent, name } = splitPath(path);
  const directory = await openDirectory(system, parent, file.parents);
  if ('problem' in directory) return failed(`${path}: ${directory.problem}`);
  const target = directory.at(name);
  const give = (result: StepResult): StepResult => (directory.close(), result);
  const found = system.linkStatus(target);
  if (found !== undefined && found.kind !== 'file')
    return give(failed(`${path} is a ${found.kind}, and stays`));
  if (file.reads && found !== undefined && found.links > 1)
    return give(failed(`${path} has another name, too: it is not read`));
  const old = found === undefined ? undefined : readAll(system, target);
  const bytes = file.content(old);
  const same = old !== undefined && sameBytes(old, bytes);
  if (same && found?.mode === mode && found.uid === uid && found.gid === gid) return give(done(false));

  const temporary = directory.at(`.${name}${SUFFIX}`);
  // What an interrupted one left.
  system.remove(temporary);
  const fd = system.open(temporary, {
    access: 'write',
    noFollow: true,
    create: { mode: mode & 0o777, exclusive: true },
  });
  if (fd < 0) return give(failed(`${path} cannot be written: ${reasonOf(fd)}`));
  const written = system.writeAt(fd, 0, bytes);
  const made = system.descriptorStatus(fd);
  system.close(fd);
  const problem = written
    ? ((await setOwner(system, temporary, file, made)) ?? (await setMode(system, temporary, file, made)))
    : 'there is no space left, or the disk fails';
  if (problem === undefined) return { index, directory, temporary, target };
  system.remove(temporary);
  return give(failed(`${path} cannot be written: ${problem}`));
}

type Made = ReturnType<System['descriptorStatus']>;

async function setOwner(
  system: System,
  path: string,
  { uid, gid }: Owner,
  made: Made,
): Promise<string | undefined> {
  if (made?.uid === uid && made.gid === gid) return undefined;
  const { code, says } = await busybox(system, ['chown', '-h', `${uid}:${gid}`, path]);
  return code === 0 ? undefined : says;
}

/** After the owner: a change of that clears set-id bits. */
async function setMode(
  system: System,
  path: string,
  { mode, uid, gid }: WantedFile,
  made: Made,
): Promise<string | undefined> {
  const changed = made?.uid !== uid || made.gid !== gid;
  if (made?.mode === mode && !(changed && (mode & 0o6000) !== 0)) return undefined;
  const { code, says } = await busybox(system, ['chmod', mode.toString(8), path]);
  return code === 0 ? undefined : says;
}

function readAll(system: System, path: string): Uint8Array | undefined {
  const fd = system.open(path, { access: 'read', noFollow: true, nonBlocking: true });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, READ_LIMIT_BYTES);
  system.close(fd);
  return bytes === 'failed' ? undefined : bytes;
}
