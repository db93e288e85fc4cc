/** From package selections to tree entries, with the shared libraries that their programs need. */
import { SlipwayError } from '../../spec/error.ts';
import type { PackageSelection } from '../../spec/image.ts';
import type { TreeEntry } from './entry.ts';
import { mergedUsr, type PackagedEntry, type PackageIndex } from './package-index.ts';
import { isSelected } from './selection.ts';

/**
 * Takes what is selected, then whatever interpreter and DT_NEEDED libraries the taken programs name, until nothing is missing.
 *
 * @returns entries by path, not yet placed under a prefix
 * @throws SlipwayError `tree.package-missing`, `tree.nothing-selected`, `tree.library-missing`
 */
export function takePackages(
  selections: readonly PackageSelection[],
  index: PackageIndex,
  component: string,
): Map<string, TreeEntry> {
  const taken = new Map<string, TreeEntry>();
  const queue: PackagedEntry[] = [];
  const take = (found: PackagedEntry): void => {
    if (taken.has(found.entry.path)) return;
    taken.set(found.entry.path, toTreeEntry(found, component));
    queue.push(found);
  };

  for (const selection of selections) for (const found of selected(selection, index)) take(found);

  const missing = new Set<string>();
  for (let found = queue.pop(); found !== undefined; found = queue.pop()) {
    const { entry, from } = found;
    if (entry.type === 'hardlink' && entry.target !== undefined) index.follow(entry.target).forEach(take);
    if (entry.interpreter !== undefined) index.follow(mergedUsr(entry.interpreter)).forEach(take);
    for (const soname of entry.needed ?? []) {
      const library = index.library(soname, from);
      if (library.length === 0) missing.add(`${soname}, needed by ${entry.path} of ${from.locked.name}`);
      library.forEach(take);
    }
  }
  if (missing.size > 0)
    throw new SlipwayError(
      'tree.library-missing',
      `${component}: no locked package holds ${[...missing].sort().join('; ')}`,
      {
        hint: 'run `slipway lock` again; if it stays, name the package that holds the library in `packages`',
      },
    );
  return taken;
}

function selected(selection: PackageSelection, index: PackageIndex): PackagedEntry[] {
  const from = index.byName.get(selection.name);
  if (from === undefined)
    throw new SlipwayError('tree.package-missing', `the lock holds no package ${selection.name}`, {
      hint: 'run `slipway lock`: the image definition asks for more than the lock file has',
    });
  const wanted = isSelected(selection);
  const found = from.content.entries.filter((entry) => wanted(entry.path)).map((entry) => ({ entry, from }));
  if (found.length === 0)
    throw new SlipwayError(
      'tree.nothing-selected',
      `package ${selection.name} ${from.locked.version} holds nothing that matches ${(selection.files ?? []).join(', ')}`,
      { hint: 'paths are absolute and merged-/usr: /usr/bin/x, never /bin/x' },
    );
  return found;
}

function toTreeEntry({ entry, from }: PackagedEntry, component: string): TreeEntry {
  const { path, mode, uid, gid } = entry;
  const base = { path, mode, uid, gid, component };
  switch (entry.type) {
    case 'directory':
      return { ...base, type: 'directory' };
    case 'symlink':
      return { ...base, type: 'symlink', target: entry.target ?? '' };
    case 'hardlink':
    case 'file':
      return { ...base, type: 'file', source: fileSource({ entry, from }) };
  }
}

/** A hard link inside a package is taken as the file that it names: the tree is deduplicated as a whole later. */
function fileSource({ entry, from }: PackagedEntry): Extract<TreeEntry, { type: 'file' }>['source'] {
  const file =
    entry.type === 'hardlink'
      ? from.content.entries.find((other) => other.path === entry.target && other.type === 'file')
      : entry;
  if (file?.sha256 === undefined)
    throw new Error(`${entry.path}: hard link to nothing in ${from.locked.name}`);
  const { offset, sizeBytes, sha256 } = file;
  return { kind: 'path', path: from.content.tarPath, offset, sizeBytes, sha256 };
}
