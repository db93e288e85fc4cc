/**
 * A host without a virtual machine: a root of locked packages in namespaces of its own, busybox init as process 1, and the real slipd
 * under the real QuickJS with the real runsv, svlogd and crun. Needs root (and only here: builds need none).
 */
import { build } from 'esbuild';
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';
import type { MachineDescription, MachineService, MachineStatus } from '../../spec/machine.ts';

export interface TestService extends MachineService {
  /** What the container runs, in /bin/sh. */
  readonly script: string;
}

export interface HostMachine {
  /** Runs a shell script inside, as root unless told. */
  shell(script: string, options?: ShellOptions): Promise<ShellResult>;
  status(): Promise<MachineStatus>;
  /** Polls the status until the predicate holds; throws with the last one when it does not within 30 s. */
  until(what: string, holds: (status: MachineStatus) => boolean): Promise<MachineStatus>;
  /** Ends when the machine has powered off. */
  readonly ended: Promise<void>;
  destroy(): Promise<void>;
}

export interface ShellOptions {
  readonly uid?: number;
  readonly gid?: number;
  readonly input?: Uint8Array;
}

export interface ShellResult {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

export const OPERATORS = { name: 'admin', uid: 1000, gid: 900 } as const;

/** Whether this test machine lets us make namespaces and control groups. */
export async function canRunMachines(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false;
  const tried = await execa(
    'unshare',
    ['-mpf', 'sh', '-c', 'mount -t tmpfs none /mnt && mount -t cgroup2 none /mnt'],
    {
      reject: false,
    },
  );
  return tried.exitCode === 0;
}

export async function startHostMachine(
  services: readonly TestService[],
  change: Partial<MachineDescription> = {},
): Promise<HostMachine> {
  const source = mkdtempSync(join(tmpdir(), 'slipway-host-'));
  await makeRoot(source, services, change);
  const enter = fileURLToPath(new URL('enter-machine.sh', import.meta.url));
  const outer = spawn('unshare', ['-mpf', '--kill-child', '--propagation', 'private', 'sh', enter, source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  outer.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
  outer.stderr.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const ended = new Promise<void>((resolve) => outer.once('exit', () => resolve()));
  const init = await firstChild(outer.pid!);

  const shell = async (script: string, options: ShellOptions = {}): Promise<ShellResult> => {
    const identity =
      options.uid === undefined ? [] : ['chpst', '-u', `:${options.uid}:${options.gid ?? options.uid}`];
    const clean = ['env', '-i', 'PATH=/usr/bin:/usr/sbin', 'TERM=linux'];
    const inner = [
      'nsenter',
      '-t',
      `${init}`,
      '-m',
      '-p',
      '-C',
      '-r',
      '-w',
      // As all that runs on a machine, in a control group of its own.
      ...['sh', '-c', 'echo 0 >/sys/fs/cgroup/machine/cgroup.procs; exec "$@"', 'sh'],
      ...clean,
      ...identity,
      'sh',
      '-c',
      script,
    ];
    const result = await execa(inner[0]!, inner.slice(1), {
      reject: false,
      encoding: 'buffer',
      stripFinalNewline: false,
      timeout: 60_000,
      ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    });
    return {
      code: result.exitCode ?? 255,
      stdout: Buffer.from(result.stdout),
      stderr: Buffer.from(result.stderr).toString(),
    };
  };
  const status = async (): Promise<MachineStatus> => {
    const { stdout, stderr } = await shell('slip status --json');
    if (stdout.length === 0) throw new Error(`no status: ${stderr}\n${output}`);
    return JSON.parse(stdout.toString()) as MachineStatus;
  };
  await ready(shell, () => output);
  return {
    shell,
    status,
    until: async (what, holds) => {
      const limit = Date.now() + 30_000;
      for (;;) {
        const now = await status();
        if (holds(now)) return now;
        if (Date.now() > limit) throw new Error(`never: ${what}\n${JSON.stringify(now, null, 2)}\n${output}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    ended,
    destroy: async () => {
      outer.kill('SIGKILL');
      await ended;
      await removeCgroups(source);
      rmSync(source, { recursive: true, force: true });
    },
  };
}

/** Empty as soon as the last process of the namespaces has gone. */
async function removeCgroups(source: string): Promise<void> {
  const script = `mount -t cgroup2 cgroup2 "$1/cgroups"
for _ in 1 2 3 4 5 6 7 8 9; do find "$1/cgroups/\${1##*/}" -depth -type d -exec rmdir {} + && break; sleep 0.1; done`;
  await execa('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', source], {
    reject: false,
  });
}

async function ready(shell: HostMachine['shell'], output: () => string): Promise<void> {
  const limit = Date.now() + 20_000;
  // Until the root is changed, `shell` would still run in ours.
  while ((await shell('[ -p /run/slip/wake ] && [ -e /run/slipway/slipd.pid ]')).code !== 0) {
    if (Date.now() > limit) throw new Error(`slipd does not come up: ${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function makeRoot(
  source: string,
  services: readonly TestService[],
  change: Partial<MachineDescription>,
): Promise<void> {
  const lock = await readLock(fileURLToPath(new URL('../../images/minimal.lock', import.meta.url)));
  if (lock === undefined) throw new Error('images/minimal.lock is missing');
  const wanted = new Set<string>();
  const want = (name: string): void => {
    const found = lock.packages.find((candidate) => candidate.name === name);
    if (found === undefined || wanted.has(name)) return;
    wanted.add(name);
    found.depends.forEach(want);
  };
  ['busybox', 'quickjs', 'crun', 'runit', 'bsdutils'].forEach(want);
  const toolbox = await openToolbox(lock.packages.filter(({ name }) => wanted.has(name)));
  cpSync(join(toolbox.root, 'usr'), join(source, 'usr'), { recursive: true, verbatimSymlinks: true });

  // A terminal needs one who makes it; Debian and Ubuntu always have this program, and it needs nothing but libc.
  if (!existsSync(join(source, 'usr/bin/script'))) cpSync('/usr/bin/script', join(source, 'usr/bin/script'));

  const programs = join(source, 'usr/lib/slipway');
  mkdirSync(programs, { recursive: true });
  await build({
    entryPoints: Object.fromEntries(
      ['slipd', 'slip'].map((name) => [
        name,
        fileURLToPath(new URL(`../../host/${name}/main.ts`, import.meta.url)),
      ]),
    ),
    outdir: programs,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    external: ['std', 'os'],
    logLevel: 'error',
  });
  writeFileSync(join(source, 'usr/bin/slip'), '#!/bin/sh\nexec qjs -m /usr/lib/slipway/slip.js "$@"\n', {
    mode: 0o755,
  });
  const description: MachineDescription = {
    format: '1.0',
    image: { name: 'test', version: '1.0.0', architecture: 'amd64' },
    shell: true,
    gateSoakMs: 500,
    users: [
      {
        name: OPERATORS.name,
        uid: OPERATORS.uid,
        groups: ['operators'],
        shell: '/bin/sh',
        sshAuthorizedKeys: [],
      },
      { name: 'guest', uid: 1001, groups: [], shell: '/bin/sh', sshAuthorizedKeys: [] },
    ],
    services: services.map(({ script: _, ...service }) => service),
    ...change,
  };
  writeFileSync(join(programs, 'machine.json'), JSON.stringify(description));
  for (const service of services) makeBundle(join(programs, 'containers', service.name), service);
}

function makeBundle(bundle: string, service: TestService): void {
  for (const directory of ['usr', 'proc', 'sys', 'dev', 'tmp', 'run'])
    mkdirSync(join(bundle, 'rootfs', directory), { recursive: true });
  for (const link of ['bin', 'sbin', 'lib', 'lib64'])
    symlinkSync(`usr/${link}`, join(bundle, 'rootfs', link));
  const capabilities = ['CAP_KILL', 'CAP_SETUID', 'CAP_SETGID'];
  const mount = (destination: string, type: string, options: readonly string[], from = type): unknown => ({
    destination,
    type,
    source: from,
    options,
  });
  const config = {
    ociVersion: '1.0.0',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/bin/sh', '-c', service.script],
      env: ['PATH=/usr/bin:/usr/sbin', 'FROM_IMAGE=yes'],
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: true,
    },
    root: {
      path: service.writable ? `/run/slipway/overlay/${service.name}/rootfs` : 'rootfs',
      readonly: !service.writable,
    },
    mounts: [
      mount('/proc', 'proc', []),
      mount('/usr', 'bind', ['rbind', 'ro'], '/usr'),
      mount('/dev', 'tmpfs', ['nosuid', 'mode=755']),
      mount('/dev/pts', 'devpts', ['newinstance', 'ptmxmode=0666', 'mode=0620']),
      mount('/tmp', 'tmpfs', []),
    ],
    linux: {
      cgroupsPath: `/slipway/${service.name}`,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
    },
  };
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
}

async function firstChild(pid: number): Promise<number> {
  const limit = Date.now() + 10_000;
  while (Date.now() < limit) {
    const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);
    if (child > 0) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error('the machine did not start');
}
