#!/bin/sh
# enter-network.sh ROOT: runs ROOT/scenario as a network service would: in a root of locked programs, in namespaces of its own.
set -eu
root=$1
for directory in dev proc run sys tmp var; do mkdir -p "$root/$directory"; done
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs run "$root/run"
mount -t tmpfs dev "$root/dev"
for device in null urandom random; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir -p "$root/run/etc" "$root/run/slipway/network/state" "$root/var/lib/dhcpcd"
exec chroot "$root" /usr/bin/busybox env -i PATH=/usr/sbin:/usr/bin SLIPWAY_NETWORK_GRACE=2 /usr/bin/busybox sh /scenario
