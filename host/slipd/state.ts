/** The state partition: what became of it in this boot, and making it anew when an operator says so (decisions.md 11). */
import { MACHINE_PATHS, type StateStatus } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PATHS, PROGRAMS } from './paths.ts';

export type StateResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

export function readState(system: System): StateStatus {
  const device = bootFile(system, 'state-device') ?? null;
  const sectors = system.readText(`/sys/class/block/${device?.replace('/dev/', '') ?? ''}/size`);
  return {
    device,
    sizeBytes: sectors === undefined ? null : Number(sectors.trim()) * 512,
    mounted: mountOfVar(system.readText('/proc/mounts') ?? ''),
    problem: bootFile(system, 'state-problem') ?? null,
    encryption: encryptionOf(bootFile(system, 'state-encryption')),
    check: (bootFile(system, 'state-check') ?? '').split('\n').filter((line) => line !== ''),
  };
}

/** Writes the empty file system of the image. Only over a partition that this boot could not mount: what is in use is refused. */
export function resetState(system: System, who: string, done: (result: StateResult) => void): void {
  const { device, problem } = readState(system);
  if (problem === null)
    return done({
      ok: false,
      code: 'state.in-use',
      message: 'the state partition is in use: there is nothing to repair',
      hint: 'see: slip state show',
    });
  if (device === null)
    return done({
      ok: false,
      code: 'state.no-partition',
      message: 'the disk has no state partition',
      hint: 'install the machine anew',
    });
  sayOnConsole(system, `slip state reset: ${who} erases ${device}`);
  const script = `exec ${MACHINE_PATHS.programs}/boot/state-reset >${LOG} 2>&1`;
  system.spawn([PROGRAMS.shell, '-c', script], {
    environment: ENVIRONMENT,
    onExit: (code) => done(code === 0 ? { ok: true } : failure(system, device)),
  });
}

/**
 * With the recovery key of a state partition that the TPM did not open: `enrol` seals it to the TPM as the machine is now, for the next
 * start; else what is in it can be looked at until then, in /run/slipway/state.
 */
export function unlockState(
  system: System,
  request: { readonly recoveryKey: string; readonly enrol: boolean },
  who: string,
  done: (result: StateResult) => void,
): void {
  const { device, encryption } = readState(system);
  if (encryption !== 'locked')
    return done({
      ok: false,
      code: 'state.not-locked',
      message: 'no encrypted state partition waits for its recovery key',
      hint: 'see: slip state show',
    });
  sayOnConsole(system, `slip state unlock: ${who} opens ${device ?? ''}`);
  const log = `${PATHS.boot}/state-unlock.log`;
  const script = `exec ${MACHINE_PATHS.programs}/boot/state-unlock "$0" >${log} 2>&1`;
  const { read, write } = system.pipe();
  system.write(write, system.encode(`${request.recoveryKey}\n`));
  system.close(write);
  system.spawn([PROGRAMS.shell, '-c', script, request.enrol ? 'enrol' : 'show'], {
    environment: ENVIRONMENT,
    stdin: read,
    onExit: (code) => {
      const words = (system.readText(log) ?? '').trim().split('\n').at(-1) ?? '';
      if (code === 0) return done({ ok: true });
      done({ ok: false, code: 'state.not-opened', message: words, hint: `all that was said is in ${log}` });
    },
  });
  system.close(read);
}

function encryptionOf(text: string | undefined): StateStatus['encryption'] {
  return text === 'tpm2' || text === 'locked' ? text : 'none';
}

const LOG = `${PATHS.boot}/state-reset.log`;

function failure(system: System, device: string): StateResult {
  const words = (system.readText(LOG) ?? '').trim().split('\n').at(-1) ?? '';
  return {
    ok: false,
    code: 'state.not-written',
    message: `${device} could not be written${words === '' ? '' : `: ${words}`}`,
    hint: `all that was said is in ${LOG}; the disk may be worn out`,
  };
}

function bootFile(system: System, name: string): string | undefined {
  return system.readText(`${PATHS.boot}/${name}`)?.trim();
}

function mountOfVar(mounts: string): string {
  const found = mounts.split('\n').filter((line) => line.split(' ')[1] === '/var');
  const [, , type = '', options = ''] = found.at(-1)?.split(' ') ?? [];
  return `${type} ${options}`.trim();
}

function sayOnConsole(system: System, text: string): void {
  const fd = system.open('/dev/console', { access: 'write', nonBlocking: true });
  if (fd < 0) return;
  system.write(fd, system.encode(`${text}\n`));
  system.close(fd);
}
