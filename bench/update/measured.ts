/** A program with everything that it starts: how long, how much processor, how much memory at the worst moment. */
import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { processEnvironment } from '../../builder/process/run.ts';

export interface Cost {
  readonly ms: number;
  /** Of all its processes, user and system. What it would take alone on the machine, when that is busy. */
  readonly cpuMs: number;
  /** Resident, of all its processes together, looked at four times a second. */
  readonly peakBytes: number;
}

const PAGE_BYTES = 4096;

/** Throws with what it said when it fails. */
export async function measured(argv: readonly string[]): Promise<Cost & { readonly stdout: string }> {
  const [program = '', ...args] = argv;
  const start = performance.now();
  // A shell of one line tells the processor time of its children, waited for.
  const child = spawn('sh', ['-c', '"$@"; status=$?; times >&2; exit $status', 'sh', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: processEnvironment(),
  });
  let [stdout, stderr, peakBytes] = ['', '', 0];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const look = setInterval(() => {
    void residentBytes(child.pid ?? 0).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)));
  }, 250);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearInterval(look);
  if (code !== 0) throw new Error(`${argv.join(' ')} failed\n${stderr}`);
  return { ms: performance.now() - start, cpuMs: childrenMs(stderr), peakBytes, stdout };
}

/** Of a process group. */
async function residentBytes(group: number): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const sizes = await Promise.all(
    pids.map(async (pid) => {
      const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // The name may hold spaces and parentheses.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      return Number(fields[2]) === group ? Number(fields[21]) * PAGE_BYTES : 0;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The last line of `times`: user and system time of all children, `1m2.30s`. */
function childrenMs(stderr: string): number {
  const last = stderr.trimEnd().split('\n').at(-1) ?? '';
  return [...last.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, minutes, seconds]) => sum + (Number(minutes) * 60 + Number(seconds)) * 1000,
    0,
  );
}
