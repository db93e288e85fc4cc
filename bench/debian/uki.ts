/** Debian's start: our kernel and boot loader, and an initrd that finds Debian's root on the second disk. */
import type { Signer } from '../../builder/authenticode/signer.ts';
import { ukiWith } from '../bare.ts';

const INIT = `#!/usr/bin/busybox sh
busybox mkdir -p /proc /sys /dev /sysroot
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
busybox insmod /usr/lib/modules/*/kernel/drivers/block/virtio_blk.ko
until [ -b /dev/vdb ]; do busybox sleep 0.1; done
busybox mount -t ext4 /dev/vdb /sysroot
for directory in proc sys dev; do busybox mount -o move /$directory /sysroot/$directory; done
exec busybox switch_root /sysroot /usr/sbin/init
`;
const DRIVER = /\/kernel(?:\/drivers(?:\/block(?:\/virtio_blk\.ko)?)?)?$|^usr\/lib\/modules(?:\/[^/]+)?$/;

/** From one of our UKIs. */
export function debianUki(uki: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return ukiWith(uki, signer, INIT, DRIVER);
}
