/** A network of the test's own with the addresses of metadata services, a service in it, and the machine's programs that ask it. Needs root. */
import { build } from 'esbuild';
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { UPDATER_MODULE } from '../../../../host/slipd/paths.ts';
import { bundleForMachine, quickJs } from '../../quickjs.ts';

export interface ServedRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
}

export interface Network {
  readonly requests: readonly ServedRequest[];
  /** Runs a program of the machine in it. */
  run(argv: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

export interface NetworkOptions {
  readonly scenario: string;
  /** When the service begins to listen. */
  readonly lateMs?: number;
  /** Which addresses there are; IPv4 and IPv6 unless told. */
  readonly addresses?: readonly ('ipv4' | 'ipv6' | 'link')[];
}

const ADDRESSES = {
  ipv4: 'ip addr add 169.254.169.254/32 dev lo; ip addr add 168.63.129.16/32 dev lo',
  ipv6: 'ip addr add fd00:ec2::254/128 dev lo nodad',
  link: 'ip link add en0 type veth peer name en1; ip addr add fe80::a9fe:a9fe/64 dev en0 nodad; ip link set en1 up; ip link set en0 up',
} as const;

export function canMakeNetworks(): boolean {
  try {
    execFileSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}

export interface Programs {
  readonly service: string;
  /** argv prefix. */
  readonly find: readonly string[];
}

export async function buildPrograms(directory: string): Promise<Programs> {
  const entry = (name: string): string => fileURLToPath(new URL(`services/${name}.ts`, import.meta.url));
  const service = join(directory, 'service.mjs');
  const find = join(directory, 'find.js');
  await build({
    entryPoints: [entry('main')],
    outfile: service,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  await bundleForMachine('test/host/provision/source/services/find.ts', find);
  return { service, find: [...(await quickJs()), ...UPDATER_MODULE, find] };
}

export async function openNetwork(programs: Programs, options: NetworkOptions): Promise<Network> {
  const { scenario, lateMs = 0, addresses = ['ipv4', 'ipv6'] } = options;
  const setup = ['ip link set lo up', ...addresses.map((name) => ADDRESSES[name])].join('; ');
  const child = spawn(
    'unshare',
    [
      '-n',
      'sh',
      '-c',
      `${setup}; exec "$@"`,
      'sh',
      process.execPath,
      programs.service,
      scenario,
      String(lateMs),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const requests: ServedRequest[] = [];
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as ServedRequest | { readonly ready: true };
      if ('ready' in said) resolve();
      else requests.push(said);
    });
  });
  return {
    requests,
    run: (argv) => runInside(child, argv),
    close: () =>
      new Promise((resolve) => {
        child.removeAllListeners('exit').once('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

function runInside(child: ChildProcess, argv: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'nsenter',
      ['-t', String(child.pid), '-n', ...argv],
      { timeout: 60_000, maxBuffer: 1 << 24 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`${error.message}\n${stderr}`));
      },
    );
  });
}
