/** What a container's root file system must hold for its mounts: it is read-only, so crun can make nothing at start. */
import * as posix from '../spec/posix-path.ts';
import { MACHINE_PATHS } from '../spec/machine.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import type { OciMount } from './runtime-spec.ts';
import type { RootView } from './root-view.ts';

/** An entry that the builder adds to the container's root, owned by root, replacing what stands there. */
export type RootAddition =
  | { readonly type: 'directory'; readonly path: string }
  /** An empty file: the place for a file's bind. */
  | { readonly type: 'file'; readonly path: string }
  | { readonly type: 'symlink'; readonly path: string; readonly target: string };

/** What stands at a path of the machine, when the builder knows; undefined when it does not. */
export type HostPathType = (path: string) => 'file' | 'directory' | undefined;

/**
 * The mount points that are missing (parents first) and, with the host's network, the links of /etc into the machine's generated files.
 * Mount points within another mount are not the root's: crun makes them there.
 */
export function rootAdditions(
  service: ServiceDefinition,
  mounts: readonly OciMount[],
  root: RootView,
  hostPathType: HostPathType = () => undefined,
): readonly RootAddition[] {
  const additions = new Map<string, RootAddition>();
  const present = (path: string): boolean => additions.has(path) || root.resolve(path) !== undefined;
  const add = (addition: RootAddition): void => {
    const parent = posix.dirname(addition.path);
    if (!present(parent)) add({ type: 'directory', path: parent });
    // A parent may be a link (/var/run): the entry stands where the link leads.
    const path = posix.join(root.resolve(parent)?.path ?? parent, posix.basename(addition.path));
    additions.set(path, { ...addition, path });
  };
  for (const mount of mounts) {
    const covered = mounts.some(
      (other) => other !== mount && mount.destination.startsWith(`${other.destination}/`),
    );
    if (covered || present(mount.destination)) continue;
    add({
      type: mount.type === 'bind' ? bindPoint(mount.source, hostPathType) : 'directory',
      path: mount.destination,
    });
  }
  if (service.networkMode === 'host') {
    for (const name of ['hosts', 'resolv.conf', 'localtime']) {
      const path = `/etc/${name}`;
      // A root that brings a time zone of its own keeps it.
      if (name === 'localtime' && present(path)) continue;
      const mounted = mounts.some(({ destination }) => destination === path || destination === '/etc');
      if (!mounted) add({ type: 'symlink', path, target: `${MACHINE_PATHS.generatedEtc}/${name}` });
    }
  }
  return [...additions.values()];
}

/** A directory, unless the machine is known to have a file there. */
export function bindPoint(source: string, hostPathType: HostPathType): 'file' | 'directory' {
  const known = hostPathType(source);
  if (known !== undefined) return known;
  const inGeneratedEtc = source.startsWith(`${MACHINE_PATHS.generatedEtc}/`);
  const isDevice = source.startsWith('/dev/') && !['/dev/shm', '/dev/pts', '/dev/mqueue'].includes(source);
  return inGeneratedEtc || isDevice || source.endsWith('.sock') ? 'file' : 'directory';
}
