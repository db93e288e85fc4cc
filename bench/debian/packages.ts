/** Debian as one installs it where our services are wanted: systemd, OpenSSH, chrony; nothing that is merely recommended. */
import { readFile } from 'node:fs/promises';
import { openArchive } from '../../builder/debian/archive.ts';
import { closePackages } from '../../builder/debian/closure.ts';
import { findMirrors } from '../../builder/debian/mirror.ts';
import type { LockedPackage, LockFile } from '../../builder/lock/lock-file.ts';
import { lockedPackage, suitesOf } from '../../builder/lock/resolve.ts';
import { openToolbox, type Toolbox } from '../../builder/tools/toolbox.ts';

const LOCK = 'images/minimal.lock';
/** Libraries come by themselves. */
const NAMES: readonly string[] = [
  ...['base-files', 'base-passwd', 'bash', 'bsdutils', 'chrony', 'coreutils', 'dash', 'dbus', 'dbus-bin'],
  ...['dbus-daemon', 'dbus-session-bus-common', 'dbus-system-bus-common', 'debianutils', 'e2fsprogs'],
  ...['findutils', 'grep', 'gzip', 'hostname', 'init', 'iproute2', 'kmod', 'libc-bin', 'libpam-modules'],
  ...['libpam-modules-bin', 'libpam-runtime', 'login', 'login.defs', 'mawk', 'mount', 'netbase'],
  ...['openssh-client', 'openssh-server', 'openssh-sftp-server', 'passwd', 'procps', 'sed', 'systemd'],
  ...['systemd-sysv', 'tzdata', 'udev', 'util-linux'],
];

/** All of it unpacked, with the kernel that images/minimal.yaml is locked to. Nothing of it has run. */
export async function debianPackages(): Promise<Toolbox> {
  const lock = JSON.parse(await readFile(LOCK, 'utf8')) as LockFile;
  const kernel = lock.packages.filter(({ name }) => name === lock.requested.kernelResolved);
  const mirrors = await findMirrors({});
  const archive = await openArchive({
    mirrors,
    suites: suitesOf(lock.suite),
    architecture: lock.architecture,
  });
  const packages: LockedPackage[] = closePackages(archive, NAMES).map(lockedPackage);
  return openToolbox([...packages, ...kernel], { mirrors: () => Promise.resolve(mirrors) });
}
