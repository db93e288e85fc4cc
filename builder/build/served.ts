import type { TreeEntry } from '../tree/entry.ts';
import type { BuildInputs } from './inputs.ts';

/**
 * Package -> what it serves in this image: `host`, `modules`, `kernel`, `service:<name>`. A package that only served to find a library, and
 * gave no file, is not among them.
 */
export function packagesServed(
  inputs: BuildInputs,
  entries: readonly TreeEntry[],
): ReadonlyMap<string, readonly string[]> {
  const byTar = new Map(inputs.packages.map(({ locked, content }) => [content.tarPath, locked.name]));
  const tarOf = new Map<string, string>();
  for (const entry of entries)
    if (entry.type === 'file' && entry.source.kind === 'path') tarOf.set(entry.path, entry.source.path);
  const serves = new Map<string, Set<string>>([[inputs.kernel.locked.name, new Set(['kernel'])]]);
  for (const entry of entries) {
    if (entry.type !== 'file' && entry.type !== 'hardlink') continue;
    const name = byTar.get(tarOf.get(entry.type === 'file' ? entry.path : entry.target) ?? '');
    if (name === undefined) continue;
    serves.set(name, (serves.get(name) ?? new Set()).add(entry.component));
  }
  return new Map([...serves].map(([name, components]) => [name, [...components].sort()]));
}
