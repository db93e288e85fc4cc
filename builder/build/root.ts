/** The whole root of an image as one list of entries: host, kernel modules, services. */
import type { ImageDefinition } from '../../spec/image.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import type { HostPathType } from '../../oci/root-entries.ts';
import { emptyState } from '../state/empty.ts';
import { deduplicate } from '../tree/deduplicate.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { mergeLayers, ownFiles } from '../tree/root.ts';
import { descriptionFiles, HOST_COMPONENT, hostTree } from './host-root.ts';
import type { BuildInputs } from './inputs.ts';
import { serviceTree } from './service-root.ts';

export interface RootTree {
  /** The host first, then each service: what several share counts for the host, and lies where the host reads it. */
  readonly entries: readonly TreeEntry[];
}

/** `more`: entries of the host's root that come from elsewhere: the kernel's modules, the updater. */
export async function rootTree(
  image: ImageDefinition,
  inputs: BuildInputs,
  more: readonly TreeEntry[],
): Promise<RootTree> {
  const hostFiles = await hostTree(image, inputs);
  const hostPathType = typeOnMachine(hostFiles);
  const services = await Promise.all(
    image.services.map((service) => serviceTree(service, image, inputs, hostPathType)),
  );
  const described = descriptionFiles(
    image,
    services.map(({ machine }) => machine),
    inputs.packages.map(({ locked }) => locked),
  );
  // An image's own files win, here as in hostTree().
  const own = await ownFiles(image.host.files, HOST_COMPONENT);
  const host = mergeLayers(hostFiles, more, own, described, [await emptyState(image.name, inputs.toolbox)]);
  const all = mergeLayers(
    host,
    services.flatMap(({ entries }) => entries),
  );
  const inContainers = (entry: TreeEntry): boolean => entry.path.startsWith(`${MACHINE_PATHS.containers}/`);
  const ordered = [...all.filter((entry) => !inContainers(entry)), ...all.filter(inContainers)];
  return { entries: deduplicate(ordered) };
}

/** Whether a bind's source is a file of the image, so that the container gets a file to mount it on. */
function typeOnMachine(host: readonly TreeEntry[]): HostPathType {
  const types = new Map(
    host.map((entry) => [entry.path, entry.type === 'directory' ? 'directory' : 'file'] as const),
  );
  return (path) => types.get(path);
}
