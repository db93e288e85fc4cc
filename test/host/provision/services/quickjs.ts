import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  ServicePaths,
  ServicesRequest,
  ServicesResult,
} from '../../../../host/provision/services/request.ts';
import { bundleForMachine, quickJs } from '../../quickjs.ts';
import { MACHINE } from './scratch.ts';

export interface ServicesProgram {
  /** Its text, minified as it is shipped. */
  readonly file: string;
  readonly qjs: readonly string[];
  /** Runs it; `peakKib` is its largest resident size, that of its child processes aside. */
  run(
    request: ServicesRequest,
    paths?: ServicePaths,
  ): Promise<{ result: ServicesResult; peakKib: number; stderr: string }>;
  /** A file for `run`'s program. */
  input(request: ServicesRequest, paths?: ServicePaths): string;
}

export async function servicesProgram(): Promise<ServicesProgram> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-services-qjs-'));
  const file = join(folder, 'services.js');
  await bundleForMachine('test/host/provision/services/quickjs-main.ts', file);
  const qjs = await quickJs();
  const input = (request: ServicesRequest, paths?: ServicePaths): string => {
    const path = join(folder, `input-${Math.random()}.json`);
    writeFileSync(
      path,
      JSON.stringify({ request, machine: MACHINE, ...(paths === undefined ? {} : { paths }) }),
    );
    return path;
  };
  return {
    file,
    qjs,
    input,
    run: async (request, paths) => {
      // GNU time tells the peak of what it starts, and of what that waited for, whichever is larger: qjs itself, for our helpers are small.
      const argv = [...qjs, '--no-unhandled-rejection', '-m', file, input(request, paths)];
      const peak =
        "import os,resource,sys\npid=os.spawnvp(os.P_NOWAIT,sys.argv[1],sys.argv[1:])\n_,s,u=os.wait4(pid,0)\nsys.stderr.write('\\npeak %d' % u.ru_maxrss)\nsys.exit(os.waitstatus_to_exitcode(s)&255)";
      const child = spawn('python3', ['-c', peak, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (bytes: Buffer) => (stdout += bytes.toString()));
      child.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString()));
      const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
      if (code !== 0) throw new Error(`services program: ${code}: ${stderr}`);
      const peakKib = Number(/peak (\d+)/.exec(stderr)?.[1]);
      return { result: JSON.parse(stdout) as ServicesResult, peakKib, stderr };
    },
  };
}
