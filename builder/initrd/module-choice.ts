/**
 * Which kernel modules go where, and why. Checking a module's signature (ECDSA P-384, no fast code in the kernel) costs 30 million
 * instructions, some 30 ms where machines are emulated, and its size is in every download: a module is here because a machine that we
 * support does not reach its root, or its network, without it.
 */
import type { ImageDefinition } from '../../spec/image.ts';
import type { WantedModule } from './modules.ts';

/**
 * Loaded in every initrd, whatever the hardware, in two rows at once: what opens the root. SHA-256 by the processor's own instructions
 * comes first: it pays for itself within the first megabyte that is read through verity.
 */
export const VERITY_MODULES: readonly string[] = ['sha256-ssse3', 'sha2-ce', 'dm-verity'];
export const ROOT_MODULES: readonly string[] = [
  'crc32c_generic', // what erofs and ext4 ask the kernel for by the name of the algorithm alone
  'erofs',
  'ext4', // state; in some flavours of the kernel built in, as the former
];

/** Loaded where there is UEFI: which disk we were started from, and whether this boot is a try. */
export const EFI_MODULES: readonly string[] = ['efivarfs'];

/**
 * Loaded in the initrd where a device asks for them. First come disks that are there without waiting for anything; the others only
 * when no disk was found with these: a q35 machine, for example, always has an AHCI controller, and seldom a disk on it.
 */
export const FIRST_DISKS: readonly string[] = [
  'virtio_blk', // QEMU, KVM clouds
  'nvme', // EC2 Nitro, bare metal
];
/** Armed in the initrd, so that whatever hangs from there on ends in a restart (decisions.md 16). */
export const WATCHDOGS: readonly string[] = [
  'i6300esb', // QEMU
  'iTCO_wdt', // Intel
  'wdat_wdt', // ACPI
];
export const OTHER_DISKS: readonly string[] = [
  'virtio_scsi', // Google, OpenStack
  'ahci', // SATA
  'vmw_pvscsi', // VMware
  'hv_storvsc', // Hyper-V, Azure
  'xhci-pci', // USB sticks
  'usb-storage',
  'uas',
  'sdhci-pci', // eMMC
  'mmc_block',
];
/** Loaded with any of the SCSI controllers: disks announce themselves to no bus that names a module. */
export const SCSI_DISK = 'sd_mod';

const OWN_INITRD: readonly string[] = [
  ...VERITY_MODULES,
  ...ROOT_MODULES,
  ...EFI_MODULES,
  ...FIRST_DISKS,
  ...WATCHDOGS,
  ...OTHER_DISKS,
  SCSI_DISK,
];

/** Options of modules: a watchdog's time is set as it is loaded, so that it is armed with it from the first moment. */
export const MODULE_OPTIONS: Readonly<Record<string, string>> = {
  i6300esb: 'heartbeat=60',
  iTCO_wdt: 'heartbeat=60',
  wdat_wdt: 'timeout=60',
};

/**
 * In the root: loaded in the background after the switch where a device asks for them, or when the kernel calls modprobe. Not here, for
 * `kernel.modules` of an image that wants them: xen-blkfront, xen-netfront, ixgbevf (EC2's machines with these have no UEFI, decisions.md
 * 27), virtio_balloon, tun. Services with a writable root bring `overlay`.
 */
const AFTER_ROOT: readonly string[] = [
  'virtio_net',
  'vmxnet3', // VMware
  'ena', // EC2
  'gve', // Google
  'hv_netvsc', // Hyper-V, Azure
  'e1000', // VirtualBox, VMware's older card
  'e1000e',
  'igb',
  'r8169',
  'virtio-rng', // entropy
  'qemu_fw_cfg', // provisioning data of QEMU
  'vfat', // the ESP
  'nls_cp437',
  'nls_ascii',
  'sr_mod', // provisioning data on a CD, which is read without its file system's driver
  'ata_piix', // IDE: the CD drive of QEMU's older machine, i440fx, as Proxmox makes it
  'loop', // the root of a machine that was booted over the network
  'softdog', // the watchdog where there is none
  'button', // the power button
  'evdev',
];

/** In the root of an image whose state is encrypted: loaded by /init from there. The drivers of TPMs are built in. */
export const ENCRYPTION_MODULES: readonly string[] = [
  'dm-crypt',
  'aesni-intel', // XTS by the processor's own instructions; in a few flavours of the kernel built in
  'aes-ce-blk', // the same on arm64
  'xts',
];

/** Everything that the image's kernel must give. Ours may be missing in a flavour of the kernel; the image's own may not. */
export function wantedModules({
  kernel,
  state,
}: Pick<ImageDefinition, 'kernel' | 'state'>): readonly WantedModule[] {
  const ours = [...OWN_INITRD, ...AFTER_ROOT, ...(state === undefined ? [] : ENCRYPTION_MODULES)];
  const required = ['dm-verity', 'erofs', 'ext4', 'dm-crypt'];
  return [
    ...ours.map((name) => ({ name, optional: !required.includes(name) })),
    ...[...kernel.initrdModules, ...kernel.modules].map((name) => ({ name, optional: false })),
  ];
}

/** What the initrd holds, dependencies aside. */
export function initrdModules({ kernel }: Pick<ImageDefinition, 'kernel'>): readonly string[] {
  return [...OWN_INITRD, ...kernel.initrdModules];
}
