/** One service as it lies in the image: its OCI bundle, root file system and configuration. */
import type { ImageDefinition } from '../../spec/image.ts';
import { MACHINE_PATHS, type MachineService } from '../../spec/machine.ts';
import type { ServiceDefinition } from '../../spec/service.ts';
import { makeBundle } from '../../oci/bundle.ts';
import { configText } from '../../oci/config-text.ts';
import type { RootAddition, HostPathType } from '../../oci/root-entries.ts';
import { rootView } from '../oci/root-view.ts';
import { busyboxLinks } from '../tree/busybox.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { PackageIndex } from '../tree/package-index.ts';
import { takePackages } from '../tree/packages.ts';
import { mergeLayers, ownFiles, placeUnder } from '../tree/root.ts';
import { containerAccounts, skeleton, textFile } from '../tree/skeleton.ts';
import type { BuildInputs } from './inputs.ts';

export interface ServiceTree {
  readonly machine: MachineService;
  /** Below `/usr/lib/slipway/containers/<name>`. */
  readonly entries: readonly TreeEntry[];
}

export async function serviceTree(
  service: ServiceDefinition,
  image: ImageDefinition,
  inputs: BuildInputs,
  hostPathType: HostPathType,
): Promise<ServiceTree> {
  const component = `service:${service.name}`;
  const serviceImage = inputs.images.get(service.name);
  const seccompProfile = inputs.seccompProfiles.get(service.securityOpt.seccomp);
  const base =
    service.root.kind === 'packages'
      ? packagesRoot(service.root.packages, inputs.index, component)
      : (serviceImage?.entries ?? []);
  const files = await ownFiles(service.files, component);
  const root = mergeLayers(base, files);
  const bundle = makeBundle(service, {
    architecture: image.architecture,
    root: rootView(root),
    hostPathType,
    ...(serviceImage === undefined ? {} : { image: serviceImage.config }),
    ...(seccompProfile === undefined ? {} : { seccompProfile }),
  });
  const additions = bundle.rootAdditions.map((addition) => additionEntry(addition, component));
  const directory = `${MACHINE_PATHS.containers}/${service.name}`;
  return {
    machine: bundle.machine,
    entries: [
      textFile(`${directory}/config.json`, configText(bundle.config), component),
      ...placeUnder(`${directory}/rootfs`, mergeLayers(root, additions)),
    ],
  };
}

function packagesRoot(
  packages: Parameters<typeof takePackages>[0],
  index: PackageIndex,
  component: string,
): TreeEntry[] {
  const taken = takePackages(packages, index, component);
  const links = taken.has('/usr/bin/busybox') ? busyboxLinks(new Set(taken.keys()), component) : [];
  return mergeLayers(skeleton(component), containerAccounts(component), [...taken.values()], links);
}

function additionEntry(addition: RootAddition, component: string): TreeEntry {
  const base = { path: addition.path, uid: 0, gid: 0, component };
  switch (addition.type) {
    case 'directory':
      return { ...base, mode: 0o755, type: 'directory' };
    case 'file':
      return { ...base, mode: 0o644, type: 'file', source: { kind: 'bytes', bytes: new Uint8Array(0) } };
    case 'symlink':
      return { ...base, mode: 0o777, type: 'symlink', target: addition.target };
  }
}
