/**
 * The directory of stored metadata. All that is read from it is untrusted: whoever held the disk may have put it there, and a power cut may have
 * left anything. Nothing in it can make reading fail; what is no regular file of a sensible size is not there.
 */
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';

export interface StoredDocuments {
  /** `undefined` when there is none that could be meant. */
  read(name: string, limitBytes: number): Uint8Array | undefined;
  /** SHA-256 of files by name, by one program; those that cannot be read are left out. */
  digests(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** To be written by `flush`; the last one of a name counts. */
  write(name: string, bytes: Uint8Array): void;
  /** What was written so far, durably: temporary files, fsync, rename, fsync of the directory. False when not all of it could be. */
  flush(): Promise<boolean>;
}

/** Folder for the versions of root, so that everything that ends in `.json` beside it is a current document. */
export const ROOTS = 'roots';
const TEMPORARY = '.new-';
const READ_BYTES = 65_536;

export function openStored(system: System, directory: string): StoredDocuments {
  const pending = new Map<string, Uint8Array>();
  const pathOf = (name: string): string => `${directory}/${name}`;
  return {
    read: (name, limitBytes) => readFile(system, pathOf(name), limitBytes),
    digests: async (names) => {
      const present = names.filter((name) => system.linkStatus(pathOf(name))?.kind === 'file');
      if (present.length === 0) return new Map();
      const { stdout } = await runProgram(system, ['sha256sum', '--', ...present.map(pathOf)]);
      const lines = system.decode(stdout).split('\n');
      return new Map(
        present.flatMap((name) => {
          const line = lines.find((candidate) => candidate.endsWith(`  ${pathOf(name)}`));
          return line === undefined ? [] : [[name, line.slice(0, 64)] as const];
        }),
      );
    },
    write: (name, bytes) => void pending.set(name, bytes),
    flush: async () => {
      const batch = [...pending];
      pending.clear();
      return batch.length === 0 || (await writeAll(system, directory, batch));
    },
  };
}

function readFile(system: System, path: string, limitBytes: number): Uint8Array | undefined {
  const status = system.linkStatus(path);
  if (status?.kind !== 'file' || status.sizeBytes === 0 || status.sizeBytes > limitBytes) return undefined;
  const fd = system.open(path, { access: 'read', noFollow: true, nonBlocking: true });
  if (fd < 0) return undefined;
  try {
    const bytes = system.readAt(fd, 0, limitBytes < status.sizeBytes ? limitBytes : status.sizeBytes);
    return bytes === 'failed' || bytes.length === 0 ? undefined : bytes;
  } finally {
    system.close(fd);
  }
}

async function writeAll(
  system: System,
  directory: string,
  batch: readonly (readonly [string, Uint8Array])[],
): Promise<boolean> {
  const folders = [
    directory,
    ...(batch.some(([name]) => name.startsWith(`${ROOTS}/`)) ? [`${directory}/${ROOTS}`] : []),
  ];
  for (const folder of folders) if (!(await ensureFolder(system, folder))) return false;
  for (const folder of folders) removeAbandoned(system, folder);
  const written = batch.map(([name, bytes]) => {
    const slash = name.lastIndexOf('/') + 1;
    const temporary = `${directory}/${name.slice(0, slash)}${TEMPORARY}${system.pid}-${name.slice(slash)}`;
    return { temporary, path: `${directory}/${name}`, whole: writeFile(system, temporary, bytes) };
  });
  const whole = written.filter((file) => file.whole);
  if (
    whole.length > 0 &&
    !(await sync(
      system,
      whole.map(({ temporary }) => temporary),
    ))
  ) {
    for (const { temporary } of written) system.remove(temporary);
    return false;
  }
  let good = whole.length === written.length;
  for (const { temporary, path } of whole) {
    if (system.rename(temporary, path) || (await renameOver(system, temporary, path))) continue;
    system.remove(temporary);
    good = false;
  }
  return (await sync(system, folders)) && good;
}

/** QuickJS has no fsync; the program `sync` (of coreutils, of busybox) calls it for each name that it is given. */
async function sync(system: System, paths: readonly string[]): Promise<boolean> {
  return (await runProgram(system, ['sync', ...paths])).code === 0;
}

function writeFile(system: System, path: string, bytes: Uint8Array): boolean {
  const fd = system.open(path, { access: 'write', create: { mode: 0o644, exclusive: true } });
  if (fd < 0) return false;
  let offset = 0;
  while (offset < bytes.length) {
    const count = system.write(fd, bytes.subarray(offset, offset + READ_BYTES));
    if (typeof count !== 'number' || count <= 0) break;
    offset += count;
  }
  system.close(fd);
  if (offset === bytes.length) return true;
  system.remove(path);
  return false;
}

/** Something stands in the way that no rename replaces: a directory. */
async function renameOver(system: System, from: string, to: string): Promise<boolean> {
  if (system.linkStatus(to)?.kind !== 'directory') return false;
  await runProgram(system, ['rm', '-rf', '--', to]);
  return system.rename(from, to);
}

async function ensureFolder(system: System, folder: string): Promise<boolean> {
  const status = system.linkStatus(folder);
  if (status?.kind === 'directory') return true;
  if (status !== undefined) await runProgram(system, ['rm', '-rf', '--', folder]);
  return system.makeDirectory(folder, 0o755);
}

/** What an interrupted process left. Another one that writes at this moment fails to rename, and writes again at its next refresh. */
function removeAbandoned(system: System, folder: string): void {
  for (const name of system.list(folder)) if (name.startsWith(TEMPORARY)) system.remove(`${folder}/${name}`);
}
