/** The same engine under the machine's own QuickJS, with the workstation's other programs. */
import { build } from 'esbuild';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { quickJs } from '../../../host/quickjs.ts';
import type { MachineJob } from './machine-main.ts';

export interface MachineRun {
  readonly child: ChildProcess;
  /** What it printed last, and how it ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly outcome: Record<string, unknown> }>;
}

/** Bundles the engine into `directory`; the result starts it, inside a memory control group where one is given. */
export function bundleMachine(
  directory: string,
): Promise<(job: MachineJob, cgroup?: MemoryGroup) => Promise<MachineRun>> {
  return bundleProgram<MachineJob>(directory, new URL('machine-main.ts', import.meta.url));
}

/** Any program that takes the path of a job and prints an outcome. */
export async function bundleProgram<Job>(
  directory: string,
  entry: URL,
): Promise<(job: Job, cgroup?: MemoryGroup) => Promise<MachineRun>> {
  const program = join(directory, 'machine.js');
  await build({
    entryPoints: [fileURLToPath(entry)],
    outfile: program,
    bundle: true,
    minify: true,
    platform: 'neutral',
    target: 'es2022',
    format: 'esm',
    external: ['std', 'os'],
  });
  let jobs = 0;
  return async (job, cgroup) => {
    const path = join(directory, `job${(jobs += 1)}.json`);
    writeFileSync(path, JSON.stringify(job));
    const argv = [...(await quickJs()), '-m', program, path];
    const [first = '', ...rest] =
      cgroup === undefined
        ? argv
        : ['sh', '-c', 'echo $$ > "$1" && shift && exec "$@"', 'sh', cgroup.processes, ...argv];
    const child = spawn(first, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()));
    const ended = new Promise<{ code: number | null; outcome: Record<string, unknown> }>((resolve) => {
      child.once('close', (code) => {
        const last = output.trim().split('\n').at(-1) ?? '';
        resolve({ code, outcome: (last === '' ? {} : JSON.parse(last)) as Record<string, unknown> });
      });
    });
    return { child, ended };
  };
}

export interface MemoryGroup {
  /** The file that takes process ids. */
  readonly processes: string;
  readonly peakBytes: () => number;
  /** How often the kernel killed for want of memory. */
  readonly killed: () => number;
  readonly remove: () => void;
}

/** A control group of this limit, swap included, of version 2 or 1, whichever this machine has; `undefined` where none can be made. */
export function memoryGroup(limitBytes: number): MemoryGroup | undefined {
  const name = `slipway-test-${process.pid}`;
  for (const [directory, limits, peak, events] of [
    [`/sys/fs/cgroup/${name}`, ['memory.max', 'memory.swap.max'], 'memory.peak', 'memory.events'],
    [
      `/sys/fs/cgroup/memory/${name}`,
      ['memory.limit_in_bytes'],
      'memory.max_usage_in_bytes',
      'memory.oom_control',
    ],
  ] as const) {
    try {
      mkdirSync(directory);
    } catch {
      continue;
    }
    const at = (file: string): string => join(directory, file);
    if (!existsSync(at(limits[0]))) {
      rmdirSync(directory);
      continue;
    }
    writeFileSync(at(limits[0]), String(limitBytes));
    if (limits[1] !== undefined && existsSync(at(limits[1]))) writeFileSync(at(limits[1]), '0');
    return {
      processes: at('cgroup.procs'),
      peakBytes: () => Number(readFileSync(at(peak), 'utf8')),
      killed: () => Number(/oom_kill (\d+)/.exec(readFileSync(at(events), 'utf8'))?.[1]),
      remove: () => rmdirSync(directory),
    };
  }
  return undefined;
}
