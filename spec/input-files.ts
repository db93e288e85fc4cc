/** The loaders' one door to the workstation's files: tests hand in a map, everything else uses the disk. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

export type FolderEntry =
  | { readonly kind: 'file'; readonly path: string; readonly executable: boolean }
  | { readonly kind: 'symlink' | 'other'; readonly path: string };

export interface InputFiles {
  /** Rejects with a Node error (`code` ENOENT, EACCES, EISDIR) when it cannot. */
  readonly readFile: (path: string) => Promise<Uint8Array | string>;
  readonly kindOf: (path: string) => Promise<'file' | 'folder' | 'none'>;
  /** All that lies below a folder, folders themselves left out; paths relative to it, sorted by code. */
  readonly list: (folder: string) => Promise<readonly FolderEntry[]>;
}

/** The real files. */
export const diskFiles: InputFiles = {
  readFile: (path) => readFile(path),
  kindOf: async (path) => {
    try {
      const found = await stat(path);
      return found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'none';
    } catch {
      return 'none';
    }
  },
  list: (folder) => listFolder(folder),
};

async function listFolder(folder: string): Promise<readonly FolderEntry[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const found = await Promise.all(
    entries
      .filter((entry) => !entry.isDirectory())
      .map(async (entry): Promise<FolderEntry> => {
        const absolute = join(entry.parentPath, entry.name);
        const path = absolute.slice(folder.length + 1);
        if (entry.isSymbolicLink()) return { kind: 'symlink', path };
        if (!entry.isFile()) return { kind: 'other', path };
        return { kind: 'file', path, executable: ((await stat(absolute)).mode & 0o100) !== 0 };
      }),
  );
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
