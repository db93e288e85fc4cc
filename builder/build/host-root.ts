/** The host's own root file system, services aside. */
import type { ImageDefinition } from '../../spec/image.ts';
import { MACHINE_PATHS, type MachineDescription, type MachineService } from '../../spec/machine.ts';
import { bootFiles } from '../initrd/boot-files.ts';
import { readSource } from '../initrd/cpio.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import { busyboxLinks } from '../tree/busybox.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { hostPackages } from '../tree/host-packages.ts';
import { takePackages } from '../tree/packages.ts';
import { mergeLayers, ownFiles } from '../tree/root.ts';
import { skeleton, textFile } from '../tree/skeleton.ts';
import { osRelease } from '../uki/os-release.ts';
import { inBytecode } from './bytecode.ts';
import type { BuildInputs } from './inputs.ts';
import { programFiles, slipCommand } from './programs.ts';

export const HOST_COMPONENT = 'host';

/** Everything but the services, their descriptions and the kernel's modules. */
export async function hostTree(
  image: ImageDefinition,
  { index, compiler }: Pick<BuildInputs, 'index' | 'compiler'>,
): Promise<TreeEntry[]> {
  const taken = takePackages(hostPackages(image), index, HOST_COMPONENT);
  const packaged = [...taken.values()];
  return mergeLayers(
    skeleton(HOST_COMPONENT),
    packaged.filter((entry) => !isCertificate(entry)),
    busyboxLinks(new Set(taken.keys()), HOST_COMPONENT),
    certificateBundle(packaged.filter(isCertificate)),
    identity(image),
    bootFiles(image),
    await inBytecode(await programFiles(), compiler),
    await slipCommand(),
    await ownFiles(image.host.files, HOST_COMPONENT),
  );
}

/** machine.json: what slipd reads; packages.json: what `slipway inspect` reads. */
export function descriptionFiles(
  image: ImageDefinition,
  services: readonly MachineService[],
  packages: readonly LockedPackage[],
): TreeEntry[] {
  const description: MachineDescription = {
    format: '1.0',
    image: { name: image.name, version: image.version, architecture: image.architecture },
    shell: image.host.shell,
    gateSoakMs: image.host.gateSoakMs,
    users: image.users.map(({ name, uid, groups, shell, sshAuthorizedKeys }) => ({
      name,
      uid,
      groups,
      shell,
      sshAuthorizedKeys,
    })),
    services,
  };
  const names = packages.map(({ name, version }) => ({ name, version }));
  return [
    textFile(MACHINE_PATHS.description, `${JSON.stringify(description)}\n`, 'slipway'),
    textFile(`${MACHINE_PATHS.programs}/packages.json`, `${JSON.stringify(names)}\n`, 'slipway'),
  ];
}

function identity(image: ImageDefinition): TreeEntry[] {
  const link: TreeEntry = {
    path: '/etc/os-release',
    mode: 0o777,
    uid: 0,
    gid: 0,
    component: HOST_COMPONENT,
    type: 'symlink',
    target: '../usr/lib/os-release',
  };
  return [textFile('/usr/lib/os-release', osRelease(image), HOST_COMPONENT), link];
}

function isCertificate(entry: TreeEntry): boolean {
  return /^\/usr\/share\/ca-certificates\/.*\.crt$/.test(entry.path);
}

/** What update-ca-certificates would make: no maintainer script runs. The single certificates are left out. */
function certificateBundle(certificates: readonly TreeEntry[]): TreeEntry[] {
  if (certificates.length === 0) return [];
  const texts = [...certificates]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map((entry) => (entry.type === 'file' ? Buffer.from(readSource(entry.source)).toString('latin1') : ''));
  return [textFile('/etc/ssl/certs/ca-certificates.crt', texts.join(''), HOST_COMPONENT)];
}
