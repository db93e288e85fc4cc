/** Which packages an image needs: those it names, and the library packages that these reach. */
import { SlipwayError } from '../../spec/error.ts';
import type { Archive, ArchivePackage } from './archive.ts';
import { parseRelations } from './control.ts';

export interface ClosedPackage extends ArchivePackage {
  readonly name: string;
  /** Names of the library packages among its direct dependencies, sorted. */
  readonly depends: readonly string[];
}

/**
 * The named packages and every library package reachable through Depends and Pre-Depends, sorted by name. Debian's full closure is not
 * taken: openssh-server would draw perl. Throws `debian.unknown-package`, naming every one that the archive lacks.
 */
export function closePackages(archive: Archive, names: readonly string[]): readonly ClosedPackage[] {
  const closed = new Map<string, ClosedPackage>();
  const queue = [...new Set(names)];
  const unknown = queue.filter((name) => archive.find(name) === undefined);
  if (unknown.length > 0) throw unknownPackages(archive, unknown);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (closed.has(name)) continue;
    const found = archive.find(name);
    if (found === undefined) throw unknownPackages(archive, [name]);
    const depends = libraryDependencies(archive, found);
    closed.set(name, { ...found, name, depends });
    queue.push(...depends);
  }
  return [...closed.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A meta package like linux-image-cloud-amd64 stands for the kernel that it depends on. */
export function followKernel(archive: Archive, name: string): string {
  const found = archive.find(name);
  if (found === undefined) throw unknownPackages(archive, [name]);
  const next = dependencies(found)
    .flat()
    .find((candidate) => candidate.startsWith('linux-image-') && archive.find(candidate) !== undefined);
  return next === undefined ? name : followKernel(archive, next);
}

function libraryDependencies(archive: Archive, found: ArchivePackage): readonly string[] {
  const libraries = dependencies(found).flatMap((alternatives) => {
    const chosen = alternatives.map((name) => available(archive, name)).find((name) => name !== undefined);
    return chosen !== undefined && isLibrary(archive, chosen) ? [chosen] : [];
  });
  return [...new Set(libraries)].sort();
}

function dependencies(found: ArchivePackage): readonly (readonly string[])[] {
  return [...parseRelations(found.fields.get('Pre-Depends')), ...parseRelations(found.fields.get('Depends'))];
}

/** The package itself, or the first that provides it. */
function available(archive: Archive, name: string): string | undefined {
  return archive.find(name) === undefined ? archive.providers(name)[0] : name;
}

function isLibrary(archive: Archive, name: string): boolean {
  const section = archive.find(name)?.fields.get('Section')?.split('/').at(-1);
  // libsystemd-shared and its like hold a library that one source package's programs share; their section is the programs'.
  return section === 'libs' || section === 'oldlibs' || /^lib.+-shared$/.test(name);
}

function unknownPackages(archive: Archive, names: readonly string[]): SlipwayError {
  const hints = names.flatMap((name) => {
    const providers = archive.providers(name);
    return providers.length > 0 ? [`${name} is a virtual package: name one of ${providers.join(', ')}`] : [];
  });
  return new SlipwayError(
    'debian.unknown-package',
    `the archive has no package ${names.join(', ')} for ${archive.architecture}`,
    { hint: hints.length > 0 ? hints.join('; ') : 'check the spelling, the suite and the architecture' },
  );
}
