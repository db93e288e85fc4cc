/** Group C: keys of mutable hosts. Each is a fault that says what to do instead. */
const PACKAGES =
  'the host is immutable and has no package manager: run the program in a container (`services:`), or build it into the image';
const SNAPS = 'the host runs containers: use `services:`';
const AGENT = 'the host is immutable, its configuration is this document: nothing is left for it to manage';
const VENDOR =
  'the host is no Linux distribution with subscriptions: images are updated as a whole (`update:`)';
const BOOT = 'the boot loader and the kernel belong to the signed image';

const GROUPS: readonly (readonly [string, string])[] = [
  [
    PACKAGES,
    'packages package_update package_upgrade package_reboot_if_required apt apt_pipelining apt_update apt_upgrade apt_reboot_if_required apk_repos yum_repos yum_repo_dir zypper apt_sources apt_mirror apt_preserve_sources_list',
  ],
  [SNAPS, 'snap lxd fan'],
  [AGENT, 'ansible chef puppet salt_minion mcollective landscape spacewalk'],
  [VENDOR, 'rh_subscription ubuntu_advantage ubuntu_pro fips'],
  [BOOT, 'grub_dpkg grub-dpkg drivers rpi'],
  ['installing is done by `slip install`, or by `install:`', 'autoinstall'],
  ['the host has one shell without additions', 'byobu_by_default'],
];

/** Key -> what to do instead. */
export const REJECTED_KEYS: ReadonlyMap<string, string> = new Map(
  GROUPS.flatMap(([instead, names]) => names.split(' ').map((name) => [name, instead] as const)),
);
/** Of ours and of others. */
export const FOREIGN_KEYS: ReadonlyMap<string, string> = new Map([
  ['containers', 'containers are written as `services:`, with the keys of Compose'],
  ['network', 'the network has a document of its own, network-config: user-data cannot set it'],
  [
    'coreos',
    'this is a document for another system: units are written as `services:`, `coreos.update` as `update:`',
  ],
  ['rancher', 'this is a document for another system: `rancher.services` are `services:`'],
  ['datasource_list', 'the sources that are heard stand in the image, under `provisioning:`'],
  ['datasource', 'the sources that are heard stand in the image, under `provisioning:`'],
  ['variant', 'this is a Butane document: write it as `#cloud-config`'],
  ['ignition', 'this is an Ignition document: write it as `#cloud-config`'],
]);
