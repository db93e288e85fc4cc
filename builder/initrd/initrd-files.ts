/** What lies in the initrd: /init, two programs with their libraries, the modules, and the signed facts about the root. */
import type { ImageDefinition, PackageSelection } from '../../spec/image.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';
import { bootScript } from '../own-files.ts';
import { hardwareFunction } from './hardware.ts';
import {
  EFI_MODULES,
  FIRST_DISKS,
  initrdModules,
  OTHER_DISKS,
  ROOT_MODULES,
  VERITY_MODULES,
  WATCHDOGS,
} from './module-choice.ts';
import { closure, type KernelModule, type ModuleSet } from './modules.ts';

/** The programs of the initrd: what `takePackages` takes, their libraries included. */
export const INITRD_PROGRAMS: readonly PackageSelection[] = [
  { name: 'busybox', files: ['/usr/bin/busybox'] },
  { name: 'dmsetup', files: ['/usr/sbin/dmsetup'] },
];

export interface InitrdInputs {
  readonly image: ImageDefinition;
  /** Entries of INITRD_PROGRAMS, with their libraries. */
  readonly programs: Iterable<TreeEntry>;
  readonly modules: ModuleSet;
  readonly root: { readonly rootHash: string; readonly dataBlocks: number; readonly salt: string };
  /** As it is written into the UKI. */
  readonly commandLine: string;
}

export function initrdFiles(inputs: InitrdInputs): TreeEntry[] {
  const { kernel } = inputs.image;
  const modules = closure(inputs.modules, initrdModules(inputs.image));
  const programs = [...inputs.programs].filter(({ type }) => type !== 'directory');
  return [
    file('/init', bootScript('init'), 0o755),
    ...['/dev', '/proc', '/run', '/sys', '/sysroot', '/tmp'].map(directory),
    ...Object.entries(LINKS).map(([path, target]) => link(path, target)),
    ...programs,
    ...APPLETS.map((name) => link(`/usr/bin/${name}`, 'busybox')),
    file('/etc/slipway/boot.conf', bootConf(inputs)),
    ...['disk', 'partition', 'failure'].map((name) => file(`/etc/slipway/${name}`, bootScript(name))),
    file(
      '/etc/slipway/hardware',
      hardwareFunction('first_disks', FIRST_DISKS, inputs.modules) +
        hardwareFunction('watchdogs', WATCHDOGS, inputs.modules),
    ),
    file(
      '/etc/slipway/other-disks',
      hardwareFunction('other_disks', [...OTHER_DISKS, ...kernel.initrdModules], inputs.modules),
    ),
    ...modules.map((module): TreeEntry => ({
      ...{ type: 'file', path: module.path, source: module.source },
      ...{ mode: 0o644, uid: 0, gid: 0, component: 'modules' },
    })),
  ];
}

const LINKS: Readonly<Record<string, string>> = {
  '/bin': 'usr/bin',
  '/lib': 'usr/lib',
  '/lib64': 'usr/lib64',
  '/sbin': 'usr/sbin',
};

/** What the scripts of the initrd start, and what somebody at the console of a debug image needs. */
const APPLETS: readonly string[] = (
  'blockdev cat chroot cttyhack dd dmesg grep head hexdump insmod ls mkdir mount mv reboot rm sed setsid sh sleep switch_root ' +
  'sync tail tr truncate umount'
).split(' ');

/** boot.conf: shell assignments. The signature of the UKI covers it; /init believes it, and of the disk nothing. */
export function bootConf({ image, modules, root, commandLine }: Omit<InitrdInputs, 'programs'>): string {
  const directory = `/usr/lib/modules/${modules.release}`;
  const paths = (names: readonly string[]): string =>
    closure(modules, names)
      .map((module: KernelModule) => module.path.slice(directory.length + 1))
      .join(' ');
  const values: Readonly<Record<string, string>> = {
    IMAGE_NAME: image.name,
    IMAGE_VERSION: image.version,
    ARCHITECTURE: image.architecture,
    ROOT_HASH: root.rootHash,
    ROOT_BLOCKS: String(root.dataBlocks),
    VERITY_SALT: root.salt === '' ? '-' : root.salt,
    // As it stands in the superblock of the slot that holds this root.
    VERITY_UUID: root.rootHash.slice(0, 32).toUpperCase(),
    COMMAND_LINE: commandLine,
    DEBUG: image.profiles.includes('debug') ? '1' : '0',
    MODULE_DIRECTORY: directory,
    VERITY_MODULES: paths(VERITY_MODULES),
    ROOT_MODULES: paths(ROOT_MODULES),
    EFI_MODULES: paths(EFI_MODULES),
    // How state is encrypted. Always there, as the next: the command line could set what is not.
    STATE_ENCRYPTION: image.state?.encrypt ?? '',
    // Where a live image has its root (host/boot/live).
    LIVE: '',
  };
  return shellAssignments(values);
}

export function shellAssignments(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('');
}

function file(path: string, content: string, mode = 0o644): TreeEntry {
  return textFile(path, content, 'initrd', mode);
}

function directory(path: string): TreeEntry {
  return { type: 'directory', path, mode: 0o755, uid: 0, gid: 0, component: 'initrd' };
}

function link(path: string, target: string): TreeEntry {
  return { type: 'symlink', path, target, mode: 0o777, uid: 0, gid: 0, component: 'initrd' };
}
