/** Runs a service's bundle with the real crun, in a mount namespace of its own, its root read-only as on the machine. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ALL_CAPABILITIES } from '../../../oci/capabilities.ts';
import { makeBundle } from '../../../oci/bundle.ts';
import { configText } from '../../../oci/config-text.ts';
import { rootView } from '../../../builder/oci/root-view.ts';
import { machineArchitecture } from '../../../builder/lock/resolve.ts';
import { readLock } from '../../../builder/lock/lock-file.ts';
import { openToolbox, type Toolbox } from '../../../builder/tools/toolbox.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { FileSource } from '../../../builder/tree/entry.ts';
import type { ServiceDefinition } from '../../../spec/service.ts';
import { directory, file, service, symlink } from './service.ts';

const BUSYBOX = '/usr/bin/busybox';
const LOCK = fileURLToPath(new URL('../../../images/minimal.lock', import.meta.url));
const LOADER = { amd64: '/lib64/ld-linux-x86-64.so.2', arm64: '/lib/ld-linux-aarch64.so.1' } as const;
const TRIPLET = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;

/** The machine's own crun and busybox, from the committed lock; or why nothing can be run here. */
export async function openCrun(): Promise<Toolbox | string> {
  if (process.getuid?.() !== 0) return 'crun needs root here';
  const unshare = spawnSync('unshare', ['--mount', 'mount', '-t', 'cgroup2', 'none', '/sys/fs/cgroup']);
  if (unshare.status !== 0) return `no mount namespace with cgroup v2: ${unshare.stderr.toString()}`;
  const lock = await readLock(LOCK);
  if (lock?.architecture !== machineArchitecture()) return 'no lock for this architecture';
  const names = new Set(['crun', 'busybox']);
  for (const name of names)
    lock.packages.find((item) => item.name === name)?.depends.forEach((item) => names.add(item));
  try {
    return await openToolbox(lock.packages.filter(({ name }) => names.has(name)));
  } catch (error) {
    if (error instanceof SlipwayError) return error.message;
    throw error;
  }
}

/** A container or virtual machine of somebody else's may keep a capability back, as `privileged` then finds out. */
export function hasAllCapabilities(): boolean {
  const status = readFileSync('/proc/self/status', 'utf8');
  const bounding = BigInt(`0x${/^CapBnd:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`);
  return ALL_CAPABILITIES.every((_name, bit) => (bounding & (1n << BigInt(bit))) !== 0n);
}

export interface ContainerResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `script` with the container's shell. `machine`: shell commands that prepare the machine before (its /run and /var/lib are empty). */
export function runContainer(
  toolbox: Toolbox,
  scratch: string,
  changes: Partial<ServiceDefinition>,
  script: string,
  machine = '',
): ContainerResult {
  const definition = service({ command: ['sh', '-c', script], ...changes });
  const entries = [
    file(BUSYBOX, '', 0o755),
    ...['sh', 'cat', 'id', 'grep', 'touch', 'tr'].map((name) => symlink(`/usr/bin/${name}`, 'busybox')),
    symlink('/bin', 'usr/bin'),
    file('/etc/passwd', 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/srv:/bin/sh\n', 0o644),
    file('/etc/group', 'root:x:0:\nwww:x:34:\nadm:x:4:www\n', 0o644),
    directory('/srv'),
  ];
  const {
    config,
    rootAdditions,
    machine: onMachine,
  } = makeBundle(definition, {
    architecture: machineArchitecture(),
    root: rootView(entries),
  });
  const bundle = join(scratch, 'bundle');
  const root = join(bundle, 'rootfs');
  for (const entry of [...entries, ...rootAdditions]) {
    const path = join(root, entry.path);
    mkdirSync(dirname(path), { recursive: true });
    if (entry.type === 'directory') mkdirSync(path, { recursive: true });
    if (entry.type === 'symlink') symlinkSync(entry.target, path);
    if (entry.type === 'file')
      writeFileSync(path, 'source' in entry ? fileBytes(entry.source as FileSource) : '');
  }
  const architecture = machineArchitecture();
  const libraries = `/usr/lib/${TRIPLET[architecture]}`;
  const needed = ['libc.so.6', 'libresolv.so.2', 'libm.so.6'].map((name) => join(libraries, name));
  for (const path of [BUSYBOX, ...needed]) copyInto(root, toolbox.file(path), path);
  copyInto(root, toolbox.file(join(libraries, posix.basename(LOADER[architecture]))), LOADER[architecture]);
  writeFileSync(join(bundle, 'config.json'), configText(config));
  const prepared = onMachine.directories.map(
    ({ path, uid, gid, mode }) =>
      `mkdir -p ${path}; chown ${uid}:${gid} ${path}; chmod ${mode.toString(8)} ${path}`,
  );
  const overlay = `/run/slipway/overlay/${definition.name}`;
  const steps = [
    'set -e',
    'mount --make-rprivate /',
    // A machine with cgroup v1 beside v2 has no controllers left for us, but crun takes it.
    '[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup',
    'mount -t tmpfs none /run',
    'mount -t tmpfs none /var/lib',
    'mkdir /run/etc; echo "nameserver 192.0.2.1" >/run/etc/resolv.conf; echo "127.0.0.1 machine" >/run/etc/hosts',
    `mount --bind ${root} ${root}; mount -o remount,bind,ro ${root}`,
    onMachine.writable
      ? `mkdir -p ${overlay}/upper ${overlay}/work ${overlay}/rootfs; mount -t overlay -o lowerdir=${root},upperdir=${overlay}/upper,workdir=${overlay}/work none ${overlay}/rootfs`
      : '',
    ...prepared,
    machine,
    `exec timeout 60 ${toolbox.command('crun').join(' ')} run --bundle ${bundle} slipway-test-${process.pid}`,
  ];
  const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', steps.join('\n')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { status, stdout, stderr };
}

function fileBytes(source: FileSource): Uint8Array {
  return source.kind === 'bytes' ? source.bytes : new Uint8Array(0);
}

function copyInto(root: string, source: string, path: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  copyFileSync(source, join(root, path));
  chmodSync(join(root, path), 0o755);
}
