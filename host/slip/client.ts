/** The client's side of host/control/protocol.ts. */
import { CONTROL, type Reply, type Request } from '../control/protocol.ts';
import type { System } from '../../system/system.ts';

/** Why a request could not be made, or was refused; `slip` prints it and exits 1. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

export interface Exchange {
  /** Sends a line on the lease. */
  send(line: string): void;
  readonly id: string;
}

export interface Listener {
  reply(reply: Reply): void;
  failed(failure: Failure): void;
  /** The FIFOs are there, and the request is not made yet. */
  prepared?(id: string): void;
}

const ENOENT = 2;
const EACCES = 13;
const ENXIO = 6;
/** slipd may be on its way up, or back. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 100;

/** Makes a request; every answer comes through `listener`. */
export function ask(
  system: System,
  request: Request,
  streams: readonly string[],
  listener: Listener,
): Exchange {
  const id = [...system.randomBytes(12)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const path = (suffix: string): string => `${CONTROL.requests}/${id}.${suffix}`;
  const fifos = ['reply', 'lease', ...streams];
  const untilMs = system.uptimeMs() + PATIENCE_MS;
  let lease = -1;
  let over = false;

  const clean = (): void => [...fifos, 'request'].forEach((suffix) => system.remove(path(suffix)));
  const fail = (failure: Failure): void => {
    if (over) return;
    over = true;
    clean();
    listener.failed(failure);
  };
  openWake();
  return { send: (line) => void system.write(lease, system.encode(`${line}\n`)), id };

  function openWake(): void {
    const wake = system.open(CONTROL.wake, { access: 'write', nonBlocking: true });
    if (wake >= 0) return makeFifos(wake);
    if (wake === -EACCES)
      return fail({
        code: 'control.refused',
        message: 'you may not control this machine',
        hint: 'only root and the group `operators` may',
      });
    if ((wake === -ENXIO || wake === -ENOENT) && system.uptimeMs() < untilMs)
      return void system.after(RETRY_MS, openWake);
    fail({
      code: 'control.unreachable',
      message: 'slipd does not answer',
      hint: `is ${CONTROL.directory} mounted here?`,
    });
  }

  function makeFifos(wake: number): void {
    const pid = system.spawn(['mkfifo', '-m', '600', ...fifos.map(path)], {
      stderr: 2,
      onExit: (code) =>
        code === 0
          ? send(wake)
          : fail({ code: 'control.fifos', message: 'cannot make the FIFOs of a request', hint: null }),
    });
    if (pid < 0) fail({ code: 'control.fifos', message: 'cannot start mkfifo', hint: null });
  }

  function send(wake: number): void {
    const reply = system.open(path('reply'), { access: 'read', nonBlocking: true });
    // Both sides, so that it neither waits for slipd nor breaks without it; slipd sees its end when this process ends.
    lease = system.open(path('lease'), { access: 'read-write', nonBlocking: true });
    if (reply < 0 || lease < 0)
      return fail({ code: 'control.fifos', message: 'cannot open the FIFOs of a request', hint: null });
    listener.prepared?.(id);
    listen(reply);
    system.writeText(path('request'), JSON.stringify(request), 0o600);
    system.write(wake, system.encode('\n'));
    system.close(wake);
  }

  function listen(reply: number): void {
    let text = '';
    system.onReadable(reply, () => {
      const bytes = system.read(reply, 65536);
      if (bytes === 'again') return;
      if (bytes === 'failed' || bytes.length === 0) {
        system.onReadable(reply, undefined);
        return fail({
          code: 'control.lost',
          message: 'slipd went away',
          hint: 'it is started again; try once more',
        });
      }
      text += system.decode(bytes);
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const message = JSON.parse(line) as Reply;
        if (message.type === 'error') return fail(message);
        if (message.type !== 'running') {
          over = true;
          system.onReadable(reply, undefined);
          clean();
        }
        listener.reply(message);
      }
    });
  }
}
