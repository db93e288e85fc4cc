/** Which Debian packages the builder's and the lab's programs come from. */
import type { Architecture } from '../../spec/image.ts';

/** The suite whose systemd-boot knows `reboot-on-error` (262 or newer). */
export const BOOT_LOADER_SUITE = 'forky';
/** Stub and boot loader: for the image's architecture, from BOOT_LOADER_SUITE. */
export const BOOT_LOADER_PACKAGE = 'systemd-boot-efi';

/** Programs that run on the build machine, from the image's suite; their libraries come by themselves. */
export const BUILD_TOOL_PACKAGES: readonly string[] = [
  'cryptsetup-bin',
  'dosfstools',
  'e2fsprogs',
  'erofs-utils',
  'fdisk',
  'libc6',
  'mtools',
  'quickjs',
  'xz-utils',
  'zstd',
];

/** The lab is always this suite's, whatever the image is made of: its QEMU runs current kernels in software. */
export const LAB_SUITE = 'trixie';

const MACHINE_PACKAGES: Record<Architecture, readonly string[]> = {
  amd64: ['qemu-system-x86', 'ovmf', 'seabios'],
  arm64: ['qemu-system-arm', 'qemu-efi-aarch64'],
};

/** What boots machines of an architecture, whatever the workstation's own is. */
export function labPackages(machine: Architecture): readonly string[] {
  const names = [
    ...MACHINE_PACKAGES[machine],
    'ipxe-qemu',
    'libc6',
    'qemu-system-common',
    'qemu-system-data',
    'qemu-utils',
    'swtpm',
    'swtpm-libs',
    'swtpm-tools',
  ];
  return names.sort();
}
