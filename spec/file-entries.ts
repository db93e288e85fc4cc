/** `files:` lists to single files: folders are written out, paths resolved, modes settled. */
import type { FileEntry } from './image.ts';
import { faultAt, positionAt, type Located, type Path } from './located.ts';
import type { FileInput } from './package-schema.ts';
import { pathFrom, type Reading } from './reading.ts';

/** Later entries win over files that came out of a folder; the same path written twice is a fault. Sorted by path. */
export async function fileEntries(
  reading: Reading,
  inputs: readonly FileInput[],
  node: Located,
  at: Path,
): Promise<readonly FileEntry[]> {
  const entries = new Map<string, FileEntry>();
  const explicit = new Set<string>();
  for (const [index, input] of inputs.entries()) {
    const path = [...at, index];
    const written = await expand(reading, input, node, path);
    for (const entry of written.entries) entries.set(entry.path, entry);
    if (written.fromFolder) continue;
    if (explicit.has(input.path)) {
      const position = positionAt(node, [...path, 'path']);
      reading.diagnostics.push(faultAt(position, 'files.duplicate', `${input.path} is given twice`));
    }
    explicit.add(input.path);
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function expand(
  reading: Reading,
  input: FileInput,
  node: Located,
  at: Path,
): Promise<{ entries: readonly FileEntry[]; fromFolder: boolean }> {
  const { path, uid, gid } = input;
  const single = { path, mode: input.mode ?? 0o644, uid, gid };
  const nothing = { entries: [], fromFolder: false };
  const fault = (key: string, message: string, hint?: string): typeof nothing => {
    reading.diagnostics.push(faultAt(positionAt(node, [...at, key]), 'files.invalid', message, hint));
    return nothing;
  };
  if (input.source === undefined) {
    if (path === '/') return fault('path', 'the root folder is no file');
    return { entries: [{ ...single, content: input.content ?? '' }], fromFolder: false };
  }
  const source = pathFrom(positionAt(node, [...at, 'source']), input.source).path;
  const kind = await reading.files.kindOf(source);
  if (kind === 'none') return fault('source', `cannot read ${source}: there is no such file`);
  if (kind === 'file') {
    reading.sources.add(source);
    if (path === '/') return fault('path', 'the root folder is no file');
    return { entries: [{ ...single, source }], fromFolder: false };
  }
  if (input.mode !== undefined) {
    return fault(
      'mode',
      'the files of a folder have their own modes',
      'remove `mode`: 0755 where a file is executable, else 0644',
    );
  }
  const entries: FileEntry[] = [];
  for (const found of await reading.files.list(source)) {
    const below = `${path === '/' ? '' : path}/${found.path}`;
    const full = `${source}/${found.path}`;
    if (found.kind === 'file') {
      reading.sources.add(full);
      // Of the workstation's modes only "executable" counts: it is all that version control keeps.
      entries.push({ path: below, mode: found.executable ? 0o755 : 0o644, uid, gid, source: full });
    } else {
      const what = found.kind === 'symlink' ? 'a symbolic link' : 'neither a file nor a folder';
      fault('source', `${full} is ${what}`, 'only files are taken: put a copy in its place');
    }
  }
  return { entries, fromFolder: true };
}
