# Runs on a machine of any distribution, with whatever shell and programs it has: tells what Slipway must know of it, a fact a line.
export LC_ALL=C
say() { printf '%s %s\n' "$1" "$2"; }

say uid "$(id -u)"
say architecture "$(uname -m)"
say host "$(uname -n)"
system=$(uname -sr)
[ ! -r /etc/os-release ] || system=$(. /etc/os-release && printf '%s' "${PRETTY_NAME:-$NAME}")
say system "$system"
while read -r key value _; do
	[ "$key" != MemAvailable: ] || say memory-kib "$value"
done </proc/meminfo
[ ! -d /sys/firmware/efi ] || say efi yes
for variable in /sys/firmware/efi/efivars/SecureBoot-8be4df61-*; do
	[ ! -r "$variable" ] || say secure-boot "$(od -An -tu1 -j4 -N1 "$variable" | tr -d ' ')"
done
for variable in /sys/firmware/efi/efivars/db-d719b2cb-*; do
	[ ! -r "$variable" ] || say db "$(od -An -v -tx1 -j4 "$variable" | tr -d ' \n')"
done
[ ! -e /proc/sysrq-trigger ] || say sysrq yes

# The disks below a block device, through partitions, LVM, RAID and encryption.
disks_below() {
	[ -e "$1" ] || return 0
	device=$(cd "$1" && pwd -P)
	[ ! -e "$device/partition" ] || device=${device%/*}
	below=''
	for slave in "$device"/slaves/*; do
		[ ! -e "$slave" ] || { below=yes; (disks_below "$slave"); }
	done
	[ -n "$below" ] || printf '%s\n' "${device##*/}"
}
while read -r _ _ number _ point _; do
	case $number in
	0:*) continue ;;
	esac
	for name in $(disks_below "/sys/dev/block/$number"); do say mounted "$name $point"; done
done </proc/self/mountinfo
for disk in /sys/block/*; do
	case ${disk##*/} in
	loop* | ram* | zram* | dm-* | md* | sr* | fd* | nbd*) continue ;;
	esac
	read -r sectors <"$disk/size"
	[ "$sectors" -gt 0 ] || continue
	read -r sector <"$disk/queue/logical_block_size"
	read -r fixed <"$disk/ro"
	read -r removable <"$disk/removable"
	model=''
	[ ! -r "$disk/device/model" ] || read -r model <"$disk/device/model"
	serial=''
	for file in "$disk/device/serial" "$disk/serial"; do
		[ ! -r "$file" ] || read -r serial <"$file"
	done
	# SATA, SAS and USB: four bytes, then text.
	[ -n "$serial" ] || [ ! -r "$disk/device/vpd_pg80" ] || serial=$(tail -c +5 "$disk/device/vpd_pg80" | tr -cd 'A-Za-z0-9._ -')
	say disk "${disk##*/}|$((sectors * 512))|$sector|$fixed|$removable|$serial|$model"
done
# Where the keys are that let this user in.
[ ! -r "$HOME/.ssh/authorized_keys" ] || while read -r line; do
	[ -z "$line" ] || say authorized-key "$line"
done <"$HOME/.ssh/authorized_keys"
