/**
 * Scripts: in a container, or as root on the host where the owner's policy says so. What they print goes into a log of bounded size. Once an
 * instance means once begun: what was cut short is told, and not begun again by itself, since it may be what cut it short.
 */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { ENVIRONMENT, PROGRAMS } from '../../slipd/paths.ts';
import type { ScriptAction } from '../plan/step.ts';
import { makeContainerRoot, OPEN_FILES, scriptBundle } from './container.ts';
import { marksOf } from './marks.ts';
import { done, failed, type StepResult } from './result.ts';

export const SCRIPT_LOG = `${MACHINE_PATHS.logs}/provision`;
/** svlogd(8): bytes a file, files. */
const LOG_LIMITS = 's131072\nn2\n';
const SCRIPTS = `${PROVISIONING_PATHS.runtime}/scripts`;
const CONTROLLERS = '/sys/fs/cgroup/cgroup.controllers';
/** With as many open files as usual: at a boot, the provisioner has fewer (host/boot/sysinit). */
const ON_HOST = `ulimit -Sn ${OPEN_FILES.soft}; exec "$0" setsid "$1"`;
const SIGKILL = 9;
const END_AGAIN_MS = 1000;
const NOT_FOUND = 127;

export interface ScriptContext {
  readonly instanceId: string;
  readonly memoryBytes: number;
}

export type Script = Omit<ScriptAction, 'kind'>;

export async function applyScript(
  system: System,
  script: Script,
  context: ScriptContext,
): Promise<StepResult> {
  const problem = interpreterProblem(system, script.text);
  const marks =
    script.when === 'boot'
      ? undefined
      : marksOf(system, script.when === 'once' ? 'machine' : context.instanceId);
  const before = marks?.get(script.name);
  if (before?.state === 'begun')
    return failed(
      `${script.name} was cut short in an earlier boot, and is not begun again: see ${SCRIPT_LOG}`,
    );
  if (before?.state === 'ended') return before.code === 0 ? done(false) : failed(ending(script, before.code));
  if (problem !== undefined) return failed(`${script.name}: ${problem}`);
  try {
    await marks?.set(script.name, { state: 'begun' });
  } catch {
    return failed(
      `${script.name} is not begun: that it was could not be remembered (the state partition is full, or fails)`,
    );
  }
  const code = await runScript(system, script, context);
  await marks?.set(script.name, { state: 'ended', code }).catch(() => undefined);
  return code === 0 ? done(true) : failed(ending(script, code));
}

/** Its exit code; 124 when its time was up, as timeout(1) has it. */
export async function runScript(system: System, script: Script, context: ScriptContext): Promise<number> {
  const directory = `${SCRIPTS}/${script.name}`;
  const path = `${directory}/script`;
  if (!system.makeDirectory(SCRIPTS, 0o700) || !system.makeDirectory(directory, 0o700)) return NOT_FOUND;
  system.writeText(path, script.text, 0o700);
  const environment = { ...ENVIRONMENT, INSTANCE_ID: context.instanceId };
  const container = `provision-${script.name}`;
  const inContainer = script.where === 'container';
  if (inContainer) {
    const root = `${SCRIPTS}/rootfs`;
    makeContainerRoot(system, root);
    const seccomp = system.readText(PROVISIONING_PATHS.scriptFilter)?.trim();
    const config = scriptBundle(container, { root, script: path }, environment, {
      memoryBytes: context.memoryBytes,
      controllers: (system.readText(CONTROLLERS) ?? '').trim().split(' '),
      ...(seccomp === undefined ? {} : { seccomp }),
    });
    system.writeText(`${directory}/config.json`, JSON.stringify(config), 0o600);
    await ended(system, [PROGRAMS.crun, 'delete', '--force', container]);
  }
  const argv = inContainer
    ? [PROGRAMS.crun, 'run', '--bundle', directory, container]
    : // A session of its own, so that all of it can be ended.
      [PROGRAMS.busybox, 'sh', '-c', ON_HOST, PROGRAMS.busybox, path];
  return supervise(system, argv, script.limitSeconds, environment, (pid) =>
    inContainer
      ? void system.spawn([PROGRAMS.crun, 'kill', '--all', container, 'KILL'], { environment: ENVIRONMENT })
      : void system.kill(-pid, SIGKILL),
  );
}

/** Runs it with its output in the log, and ends it when its time is up. */
async function supervise(
  system: System,
  argv: readonly string[],
  limitSeconds: number,
  environment: Readonly<Record<string, string>>,
  end: (pid: number) => void,
): Promise<number> {
  const log = openLog(system);
  let late = false;
  const code = await new Promise<number>((resolve) => {
    const streams = log === undefined ? {} : { stdout: log.write, stderr: log.write };
    let cancel = (): void => undefined;
    const pid = system.spawn(argv, {
      environment,
      cwd: '/',
      ...streams,
      onExit: (result) => {
        cancel();
        resolve(result);
      },
    });
    if (pid < 0) return resolve(NOT_FOUND);
    const endNow = (): void => {
      late = true;
      end(pid);
      // Its container may only be on its way.
      cancel = system.after(END_AGAIN_MS, endNow);
    };
    cancel = system.after(limitSeconds * 1000, endNow);
  });
  if (log !== undefined) {
    system.close(log.write);
    // What a daemon of the script still holds open is not waited for.
    await Promise.race([log.ended, new Promise<void>((resolve) => void system.after(2000, resolve))]);
  }
  return late ? 124 : code;
}

function openLog(system: System): { readonly write: number; readonly ended: Promise<unknown> } | undefined {
  if (!system.makeDirectory(SCRIPT_LOG, 0o700)) return undefined;
  try {
    if (system.readText(`${SCRIPT_LOG}/config`) !== LOG_LIMITS)
      system.writeText(`${SCRIPT_LOG}/config`, LOG_LIMITS);
  } catch {
    // A full disk: svlogd goes by its own limits, and drops what it cannot write.
  }
  const ends = system.pipe();
  const over = new Promise<number>((resolve) => {
    const pid = system.spawn([PROGRAMS.svlogd, '-tt', SCRIPT_LOG], {
      stdin: ends.read,
      environment: ENVIRONMENT,
      onExit: resolve,
    });
    if (pid < 0) resolve(NOT_FOUND);
  });
  system.close(ends.read);
  return { write: ends.write, ended: over };
}

function ended(system: System, argv: readonly string[]): Promise<number> {
  return new Promise((resolve) => {
    const pid = system.spawn(argv, { environment: ENVIRONMENT, onExit: resolve });
    if (pid < 0) resolve(NOT_FOUND);
  });
}

function interpreterProblem(system: System, text: string): string | undefined {
  const [, interpreter] = /^#! *(\S+)/.exec(text) ?? [];
  if (interpreter === undefined) return 'it does not begin with #!';
  if (system.status(interpreter) !== undefined) return undefined;
  return `there is no ${interpreter} on this machine: a shell script begins with #!/bin/sh`;
}

function ending({ name, limitSeconds }: Script, code: number): string {
  const how = code === 124 ? `was ended after ${limitSeconds} s` : `ended with exit code ${code}`;
  return `${name} ${how}: see ${SCRIPT_LOG}`;
}
