/**
 * A root file system from Debian's packages. What their maintainer scripts would have done is done here, as far as this machine needs
 * it: none of them runs, and everything that they would add (and start) is left out in Debian's favour.
 */
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../builder/process/run.ts';
import type { Toolbox } from '../../builder/tools/toolbox.ts';
import { REPORT_PORT } from '../../spec/machine.ts';

const SIZE = '2G';

/** Writes an ext4 image. `authorizedKey`: who may log in as root. */
export async function debianRoot(debian: Toolbox, output: string, authorizedKey: string): Promise<void> {
  const root = `${output}.d`;
  await rm(root, { recursive: true, force: true });
  await run(['cp', '-a', '--reflink=auto', debian.root, root]);
  try {
    for (const [path, text] of Object.entries(await configuration(root, authorizedKey))) {
      await mkdir(join(root, dirname(path)), { recursive: true });
      await rm(join(root, path), { force: true });
      await writeFile(join(root, path), text);
    }
    for (const path of PRIVATE) await chmod(join(root, path), 0o700);
    await chmod(join(root, 'usr/local/sbin/bench-report'), 0o755);
    for (const path of DIRECTORIES) await mkdir(join(root, path), { recursive: true });
    for (const [path, target] of Object.entries(await links(root))) {
      await mkdir(join(root, dirname(path)), { recursive: true });
      await rm(join(root, path), { force: true });
      await symlink(target, join(root, path));
    }
    await hostKey(root);
    const [release = ''] = await readdir(join(root, 'usr/lib/modules'));
    await run([...debian.command('depmod'), '-b', root, release]);
    await rm(output, { force: true });
    // In a user namespace, so that an ordinary user's files are root's.
    const asRoot = process.getuid?.() === 0 ? [] : ['unshare', '--map-root-user'];
    const mke2fs = [
      ...debian.command('mke2fs'),
      '-q',
      '-F',
      '-t',
      'ext4',
      '-m',
      '1',
      '-d',
      root,
      output,
      SIZE,
    ];
    await run([...asRoot, ...mke2fs]);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const PRIVATE = ['root', 'root/.ssh'];
const DIRECTORIES = [
  'dev',
  'proc',
  'run',
  'sys',
  'tmp',
  'var/tmp',
  'var/lib/chrony',
  'var/log/chrony',
  'mnt',
];

/** /bin and its like, and what `systemctl enable` would have made. */
async function links(root: string): Promise<Record<string, string>> {
  const wanted = (target: string, unit: string): [string, string] => [
    `etc/systemd/system/${target}.wants/${unit}`,
    `/usr/lib/systemd/system/${unit.replace(/@[^.]*/, '@')}`,
  ];
  const top = ['bin', 'sbin', 'lib', 'lib64'].map((name): [string, string] => [name, `usr/${name}`]);
  await mkdir(join(root, 'usr/lib64'), { recursive: true });
  return Object.fromEntries([
    ...top,
    wanted('multi-user.target', 'ssh.service'),
    wanted('multi-user.target', 'chrony.service'),
    wanted('multi-user.target', 'systemd-networkd.service'),
    wanted('sockets.target', 'systemd-networkd.socket'),
    wanted('getty.target', 'getty@tty1.service'),
    [
      'etc/systemd/system/multi-user.target.wants/bench-report.service',
      '/etc/systemd/system/bench-report.service',
    ],
    ['etc/systemd/system/default.target', '/usr/lib/systemd/system/multi-user.target'],
  ]);
}

const USERS = ['_chrony', 'messagebus', 'sshd', 'systemd-network'];
const GROUPS = [
  ...USERS,
  '_ssh',
  'input',
  'kvm',
  'render',
  'sgx',
  'systemd-journal',
  'clock',
  'netdev',
  'crontab',
];
const FIRST_ID = 100;

async function configuration(root: string, authorizedKey: string): Promise<Record<string, string>> {
  const shared = (path: string): Promise<string> => readFile(join(root, 'usr/share', path), 'utf8');
  const passwd =
    (await shared('base-passwd/passwd.master')).replace(/^(\w[^:]*):\*:/gm, '$1:x:') +
    USERS.map(
      (name, index) => `${name}:x:${FIRST_ID + index}:${FIRST_ID + index}::/run:/usr/sbin/nologin\n`,
    ).join('');
  const group =
    (await shared('base-passwd/group.master')).replace(/^(\w[^:]*):\*:/gm, '$1:x:') +
    GROUPS.map((name, index) => `${name}:x:${FIRST_ID + index}:\n`).join('');
  const names = passwd.split('\n').flatMap((line) => (line === '' ? [] : [line.split(':')[0]!]));
  return {
    'etc/passwd': passwd,
    'etc/group': group,
    'etc/shadow': names.map((name) => `${name}:*:19000:0:99999:7:::\n`).join(''),
    'etc/hostname': 'debian\n',
    'etc/hosts': '127.0.0.1 localhost debian\n',
    'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
    'etc/fstab': '',
    'etc/resolv.conf': 'nameserver 10.0.2.3\n',
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n',
    'etc/pam.d/common-auth':
      'auth [success=1 default=ignore] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n',
    'etc/pam.d/common-account': 'account required pam_unix.so\n',
    'etc/pam.d/common-password': 'password required pam_unix.so\n',
    'etc/pam.d/common-session': 'session required pam_unix.so\n',
    'etc/pam.d/common-session-noninteractive': 'session required pam_unix.so\n',
    'etc/ssh/sshd_config': await shared('openssh/sshd_config'),
    'etc/chrony/chrony.conf': await shared('chrony/chrony.conf'),
    'etc/systemd/network/lan.network': '[Match]\nType=ether\n[Network]\nDHCP=yes\n',
    'etc/tmpfiles.d/bench.conf':
      'z /var/lib/chrony 0750 _chrony _chrony\nz /var/log/chrony 0755 _chrony _chrony\n',
    'etc/systemd/system/bench-report.service': REPORT_UNIT,
    // What `quiet` on the command line does: a serial console is slow.
    'etc/systemd/system.conf.d/bench.conf': '[Manager]\nShowStatus=no\n',
    'root/.ssh/authorized_keys': `${authorizedKey}\n`,
    'usr/local/sbin/bench-report': REPORT,
  };
}

/** systemd counts both as started when they say that they are ready. */
const REPORT_UNIT = `[Unit]
After=ssh.service chrony.service
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/bench-report
`;

const REPORT = `#!/bin/sh
read -r up _ </proc/uptime
systemctl is-active --quiet ssh.service || exit 1
systemctl is-active --quiet chrony.service || exit 1
for name in /sys/class/virtio-ports/*/name; do
	[ -e "$name" ] && read -r text <"$name" || continue
	port=\${name%/name}
	[ "$text" != ${REPORT_PORT} ] || echo "{\\"event\\":\\"started\\",\\"uptimeMs\\":\${up%.*}\${up#*.}0}" >"/dev/\${port##*/}"
done
`;

async function hostKey(root: string): Promise<void> {
  const path = join(root, 'etc/ssh/ssh_host_ed25519_key');
  await rm(path, { force: true });
  await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'debian', '-f', path]);
}
