# write.sh DISK SECTORS: from here on nothing but this folder, which is in memory, is used of the machine that was. Run by the busybox in it.
# regions: `first count sha256`, in units of 64 KiB, in the order in which they lie in the payload; the partition table comes last.
trap '' HUP PIPE INT TERM
disk=$1
sectors=$2
here=$(pwd)
bb() { "$here/ld" --library-path "$here" "$here/busybox" "$@"; }
say() {
	printf '%s\n' "$1" >>log
	printf '%s\n' "$1" 2>/dev/null
	printf 'slipway: %s\n' "$1" >/dev/console 2>/dev/null
}

# Everything that the old system still has open may change no block of the disk any more.
quiesce() {
	echo 1 >/proc/sys/kernel/sysrq
	bb swapoff -a 2>/dev/null
	bb sync
	echo u >/proc/sysrq-trigger
	patience=60
	while bb grep -q '^/dev/[^ ]* [^ ]* [^ ]* rw[, ]' /proc/mounts; do
		[ "$patience" -gt 0 ] || return 1
		patience=$((patience - 1))
		bb sleep 0.5
	done
}

unit() { bb dd if="$disk" bs=65536 skip="$1" count="$2" 2>/dev/null; }
clear_sectors() { bb dd if=/dev/zero of="$disk" bs=512 seek="$1" count="$2" conv=notrunc 2>/dev/null; }
flush() {
	bb sync
	bb blockdev --flushbufs "$disk"
}

write_all() {
	# From the first write on until the last, no firmware finds anything to start here.
	clear_sectors 0 2048 && clear_sectors $((sectors - 2048)) 2048 && flush || return 1
	"$here/ld" --library-path "$here" "$here/zstd" -dcq payload.zst | while read -r first count _; do
		[ "$first" -ne 0 ] || flush || exit 1
		# A pipe gives less than is asked for.
		bb dd of="$disk" bs=65536 iflag=fullblock seek="$first" count="$count" conv=notrunc 2>/dev/null <&3 || exit 1
	done 3<&0 <regions || return 1
	flush
}

check_all() {
	echo 3 >/proc/sys/vm/drop_caches
	while read -r first count sum; do
		set -- $(unit "$first" "$count" | bb sha256sum)
		[ "$1" = "$sum" ] || { say "$disk does not hold what was written to it (unit $first)"; return 1; }
	done <regions
}

say "the file systems of the old system become read-only"
if ! quiesce; then
	say "FAILED: a file system stays writable; nothing was written, and a restart brings the old system back"
	exit 1
fi
for attempt in 1 2; do
	say "writing $disk"
	write_all || { say "cannot write $disk"; continue; }
	say "reading it back"
	if check_all; then
		say "DONE: starting the new system"
		bb sleep 1
		echo b >/proc/sysrq-trigger
		exit 0
	fi
done
say "FAILED: $disk is broken; the old system is gone, and this connection is the last one: do not restart before you have looked"
exit 1
