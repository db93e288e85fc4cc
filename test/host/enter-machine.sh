#!/bin/sh
# enter-machine.sh SOURCE: becomes process 1 of a machine whose /usr is SOURCE/usr. Called in namespaces of its own (machine.ts).
set -eu
source=$1
root=$source/root

# Machines that run at the same time share no control groups: each would kill the other's services of the same name.
if [ ! -d "$source/cgroups" ]; then
	mkdir "$source/cgroups"
	mount -t cgroup2 cgroup2 "$source/cgroups"
	mkdir "$source/cgroups/${source##*/}"
	echo 0 >"$source/cgroups/${source##*/}/cgroup.procs"
	umount "$source/cgroups"
	exec unshare -C sh "$0" "$source"
fi

mkdir "$root"
mount -t tmpfs -o mode=755 tmpfs "$root"
for directory in dev etc proc run sys tmp usr var old root; do
	mkdir "$root/$directory"
done
for link in bin sbin lib lib64; do
	ln -s "usr/$link" "$root/$link"
done
mount --bind "$source/usr" "$root/usr"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
# A group that has processes of its own shares nothing out to those below it; only that of a whole kernel may.
mkdir "$root/sys/fs/cgroup/machine"
echo 0 >"$root/sys/fs/cgroup/machine/cgroup.procs"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty kmsg; do
	: >"$root/dev/$device"
	mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=755 run "$root/run"
mkdir -p "$root/run/slipway/boot" "$root/run/etc" "$root/var/log/slipway" "$root/var/lib/slipway"
chmod 1777 "$root/tmp"
echo a >"$root/run/slipway/boot/slot"
echo 0123456789abcdef >"$root/run/slipway/boot/root-hash"
: >"$root/run/slipway/boot/ready"
echo root:x:0:0:root:/root:/bin/sh >"$root/etc/passwd"
echo root:x:0: >"$root/etc/group"
echo '::respawn:/usr/bin/qjs -m /usr/lib/slipway/slipd.js' >"$root/etc/inittab"
"$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" "$root/usr/bin/busybox" --list |
	while read -r applet; do
		[ -e "$root/usr/bin/$applet" ] || [ -e "$root/usr/sbin/$applet" ] || ln -s busybox "$root/usr/bin/$applet"
	done
cd "$root"
pivot_root . old
umount -l /old
exec env -i PATH=/usr/sbin:/usr/bin /usr/bin/busybox init
