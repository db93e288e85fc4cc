/**
 * Links to busybox's applets, made wherever a root holds busybox: no maintainer script runs, and the builder starts no packed program,
 * so the list stands here. Debian's busybox 1.37 has more; left out is what could let somebody in (login, su, telnet, httpd, ...) or
 * writes what only other tools may write (fdisk, mke2fs, depmod).
 */
import type { TreeEntry } from './entry.ts';

const APPLETS: Readonly<Record<'/usr/bin' | '/usr/sbin', string>> = {
  '/usr/bin':
    '[ ash awk base64 basename cat chgrp chmod chown clear cmp cp cut date dd df diff dirname dmesg du echo ed egrep env ' +
    'expr fallocate false fgrep find fold free getopt grep groups gunzip gzip head hexdump hostname id install ionice kill ' +
    'killall less ln logger ls md5sum mkdir mkfifo mknod mktemp more mount mv nc netstat nl nproc nsenter nslookup od pidof ' +
    'ping ping6 printf ps pwd readlink realpath renice reset rm rmdir sed seq setpriv setsid sh sha256sum sha512sum shuf sleep ' +
    'sort stat stty sync tail tar taskset tee test time timeout top touch tr traceroute traceroute6 true truncate tty umount ' +
    'uname uniq unlink unshare uptime vi watch wc wget which who whoami xargs xxd yes zcat',
  '/usr/sbin':
    'arp arping blkid blockdev chroot fsfreeze fstrim halt hwclock ifconfig init insmod ip losetup lsmod mdev modinfo ' +
    'modprobe nologin poweroff pivot_root reboot rmmod route sysctl switch_root udhcpc',
};

/** One symbolic link for each applet whose path the root does not hold otherwise. */
export function busyboxLinks(taken: ReadonlySet<string>, component: string): TreeEntry[] {
  return Object.entries(APPLETS).flatMap(([directory, names]) =>
    names
      .split(' ')
      .map((name) => `${directory}/${name}`)
      .filter((path) => !taken.has(path))
      .map((path) => ({
        path,
        mode: 0o777,
        uid: 0,
        gid: 0,
        component,
        type: 'symlink' as const,
        target: directory === '/usr/bin' ? 'busybox' : '../bin/busybox',
      })),
  );
}
