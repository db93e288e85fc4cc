/** One health check: the command inside the container, its time limit, and the end of everything it started. */
import type { HealthCheck } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PATHS, PROGRAMS } from './paths.ts';

const SIGKILL = 9;
const OUTPUT_LIMIT_BYTES = 4096;
const DETAIL_LENGTH = 160;

/** Calls `done` exactly once. */
export function probe(
  system: System,
  service: string,
  check: HealthCheck,
  done: (ok: boolean, detail: string) => void,
): void {
  const pidFile = `${PATHS.services}/${service}/probe-pid`;
  system.remove(pidFile);
  const output = system.pipe();
  let text = '';
  let finished = false;
  let reading = true;
  const stopReading = (): void => {
    if (reading) system.close(output.read);
    reading = false;
  };
  const readSome = (): void => {
    const bytes = system.read(output.read, OUTPUT_LIMIT_BYTES);
    if (bytes === 'again') return;
    if (bytes === 'failed' || bytes.length === 0) return stopReading();
    if (text.length < OUTPUT_LIMIT_BYTES) text += system.decode(bytes);
  };
  const finish = (ok: boolean, detail: string): void => {
    if (finished) return;
    finished = true;
    cancel();
    stopReading();
    done(ok, detail);
  };
  const pid = system.spawn([PROGRAMS.crun, 'exec', '--pid-file', pidFile, service, ...check.command], {
    stdout: output.write,
    stderr: output.write,
    environment: ENVIRONMENT,
    onExit: (code) => {
      const said = lastLine(text);
      finish(code === 0, said === '' ? `exit code ${code}` : said);
    },
  });
  system.close(output.write);
  system.onReadable(output.read, readSome);
  const cancel = system.after(check.timeoutMs, () => {
    // crun's death would leave the command behind in the container.
    const inner = Number(system.readText(pidFile)?.trim() || '0');
    if (inner > 1) system.kill(inner, SIGKILL);
    system.kill(pid, SIGKILL);
    finish(false, `no answer within ${check.timeoutMs / 1000} s`);
  });
  if (pid < 0) finish(false, 'crun could not be started');
}

function lastLine(text: string): string {
  const lines = text.trim().split('\n');
  return (lines[lines.length - 1] ?? '').trim().slice(0, DETAIL_LENGTH);
}
