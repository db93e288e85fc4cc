/** Requests of `slip`: found when the wake FIFO says so, admitted, and answered from a table. */
import { CONTROL, LIMITS, REQUEST_NAME, type Reply, type Request } from '../../control/protocol.ts';
import {
  MACHINE_PATHS,
  type MachineDescription,
  type MachineStatus,
  type PreparedDirectory,
} from '../../../spec/machine.ts';
import { UPDATE_PATHS } from '../../../spec/update.ts';
import type { System } from '../../../system/system.ts';
import { OPERATORS_GROUP } from '../accounts.ts';
import { ENVIRONMENT, PROGRAMS, UPDATER_MODULE } from '../paths.ts';
import type { Event } from '../plan/memory.ts';
import { isLive } from '../live.ts';
import { hasProvisioner, provisionerCommand } from '../provision.ts';
import { confined, hasUpdater } from '../update.ts';
import { readState, resetState, unlockState } from '../state.ts';
import { admit, sweep, type Admitted } from './admission.ts';
import { connect, type Connection } from './connection.ts';
import { execProgram } from './exec.ts';
import { runSession } from './session.ts';
import { recordShell, shellProgram } from './shell.ts';

/** What the server asks of the daemon. */
export interface Daemon {
  /** As it is now. */
  description(): MachineDescription;
  status(): MachineStatus;
  tell(event: Event): void;
  /** Calls back when the service has come to rest: whether it is as wanted, and what to say. */
  whenSettled(
    service: string,
    wanted: 'running' | 'stopped',
    done: (ok: boolean, message: string) => void,
  ): void;
  shutDown(action: 'reboot' | 'poweroff'): void;
}

/** However often it is woken, the directory is read only this often. */
const SCAN_INTERVAL_MS = 20;

export function controlDirectories(gid: number): readonly PreparedDirectory[] {
  return [
    { path: CONTROL.directory, uid: 0, gid, mode: 0o710 },
    { path: CONTROL.requests, uid: 0, gid, mode: 0o1730 },
  ];
}

/** Makes the wake FIFO, if need be, and listens. */
export function serveControl(system: System, daemon: Daemon, gid: number): void {
  const connections = new Map<string, Connection>();
  const isOperator = (uid: number): boolean =>
    uid === 0 ||
    daemon.description().users.some((user) => user.uid === uid && user.groups.includes(OPERATORS_GROUP));
  let scanning = false;

  const script = '[ -p "$0" ] || { mkfifo -m 600 "$0" && chgrp "$1" "$0" && chmod 620 "$0"; }';
  system.spawn([PROGRAMS.shell, '-c', script, CONTROL.wake, `${gid}`], {
    environment: ENVIRONMENT,
    stderr: 2,
    onExit: listen,
  });

  function listen(): void {
    const wake = system.open(CONTROL.wake, { access: 'read-write', nonBlocking: true, noFollow: true });
    if (wake < 0) return;
    system.onReadable(wake, () => {
      system.read(wake, 65536);
      scanSoon();
    });
    scanSoon();
  }

  function scanSoon(): void {
    if (scanning) return;
    scanning = true;
    scan();
    system.after(SCAN_INTERVAL_MS, () => {
      scanning = false;
      scan();
    });
  }

  function scan(): void {
    for (const name of system.list(CONTROL.requests)) {
      const id = REQUEST_NAME.exec(name)?.[1];
      if (id === undefined) sweepOld(name);
      else if (!connections.has(id)) begin(id);
    }
  }

  /** What dead clients, or jokers, left. */
  function sweepOld(name: string): void {
    if (connections.has(name.split('.')[0] ?? '')) return;
    const path = `${CONTROL.requests}/${name}`;
    const found = system.linkStatus(path);
    if (found !== undefined && system.wallClockMs() - found.modifiedMs > LIMITS.abandonedMs)
      system.remove(path);
  }

  function begin(id: string): void {
    const admitted = admit(system, id);
    if (admitted === undefined) return sweep(system, id);
    const connection = connect(system, admitted, (closed) => connections.delete(closed));
    if (connection === undefined) return;
    connections.set(id, connection);
    const refusal = refuse(admitted);
    if (refusal !== undefined) {
      connection.reply(refusal);
      return connection.end();
    }
    answer(admitted, connection, admitted.request!);
  }

  function refuse(admitted: Admitted): Reply | undefined {
    if (!isOperator(admitted.uid))
      return failed('control.refused', 'only operators may do this', 'ask for the group `operators`');
    if (admitted.request === undefined)
      return failed('control.bad-request', 'slipd does not understand this request');
    if (connections.size > LIMITS.sessions)
      return failed('control.busy', 'too many sessions are open', 'end some, or wait');
    const { request } = admitted;
    if (!('service' in request)) return undefined;
    if (daemon.description().services.some((service) => service.name === request.service)) return undefined;
    const names = daemon
      .description()
      .services.map((service) => service.name)
      .join(', ');
    return failed(
      'control.unknown-service',
      `no service is called ${request.service}`,
      `there are: ${names}`,
    );
  }

  function answer(admitted: Admitted, connection: Connection, request: Request): void {
    const finish = (reply: Reply): void => {
      connection.reply(reply);
      connection.end();
    };
    switch (request.kind) {
      case 'status':
        return finish({ type: 'status', status: daemon.status() });
      case 'state':
        return finish({ type: 'state', state: readState(system) });
      case 'state-reset':
        return resetState(system, userName(admitted.uid), (result) => {
          if (!result.ok) return finish(failed(result.code, result.message, result.hint));
          finish({ type: 'done', message: 'the state partition is empty; rebooting' });
          daemon.shutDown('reboot');
        });
      case 'state-unlock':
        return unlockState(system, request, userName(admitted.uid), (result) => {
          if (!result.ok) return finish(failed(result.code, result.message, result.hint));
          if (!request.enrol)
            return finish({
              type: 'done',
              message: 'it is open, in /run/slipway/state, until the machine starts again',
            });
          finish({ type: 'done', message: 'sealed to this machine as it is now; rebooting' });
          daemon.shutDown('reboot');
        });
      case 'start':
      case 'stop':
      case 'restart': {
        const wanted = request.kind === 'stop' ? 'stopped' : 'running';
        daemon.tell({ kind: request.kind, service: request.service });
        return daemon.whenSettled(request.service, wanted, (ok, message) =>
          finish(
            ok
              ? { type: 'done', message }
              : failed('control.not-settled', message, `see: slip logs ${request.service}`),
          ),
        );
      }
      case 'reboot':
      case 'poweroff':
        finish({ type: 'done', message: request.kind === 'reboot' ? 'rebooting' : 'powering off' });
        return daemon.shutDown(request.kind);
      case 'exec': {
        const service = daemon.status().services.find((candidate) => candidate.name === request.service);
        if (service?.pid === null || service?.pid === undefined)
          return finish(
            failed('control.not-running', `${request.service} is not running`, `see: slip services`),
          );
        return runSession(system, admitted, connection, request, execProgram(system, connection.id, request));
      }
      case 'shell': {
        if (!daemon.description().shell)
          return finish(
            failed(
              'control.no-shell',
              'this image allows no host shell',
              'set host.shell in the image definition',
            ),
          );
        if (request.terminal !== null && system.status(PROGRAMS.script) === undefined)
          return finish(
            failed(
              'control.no-script',
              `${PROGRAMS.script} is not on this machine`,
              'slip shell -T does without a terminal',
            ),
          );
        recordShell(system, userName(admitted.uid), request.command);
        return runSession(system, admitted, connection, request, shellProgram(request));
      }
      case 'update': {
        if (!hasUpdater(system))
          return finish(
            failed(
              'control.no-updater',
              'this image holds no updater',
              'add `update:` to the image definition; until then it is replaced by hand',
            ),
          );
        const session = { terminal: null, termType: request.termType };
        const argv = confined([...UPDATER_MODULE, UPDATE_PATHS.program, ...request.command]);
        return runSession(system, admitted, connection, session, { argv, pidFile: null, output: 'fifo' });
      }
      case 'config': {
        if (!hasProvisioner(system))
          return finish(
            failed(
              'control.no-provisioner',
              'this image holds no provisioner',
              'add `provisioning:` to the image definition; until then the machine is what the image says',
            ),
          );
        const session = { terminal: null, termType: request.termType };
        const argv = provisionerCommand(['config', ...request.command]);
        return runSession(system, admitted, connection, session, { argv, pidFile: null, output: 'fifo' });
      }
      case 'install': {
        if (!isLive(system))
          return finish(
            failed(
              'control.not-live',
              'this machine runs from its own disk',
              'start it from what `slipway export --format iso` makes',
            ),
          );
        const session = { terminal: null, termType: request.termType };
        const argv = [
          PROGRAMS.qjs,
          ...UPDATER_MODULE,
          `${MACHINE_PATHS.programs}/install.js`,
          ...request.command,
        ];
        return runSession(system, admitted, connection, session, { argv, pidFile: null, output: 'fifo' });
      }
      case 'logs': {
        const argv = [
          PROGRAMS.qjs,
          '-m',
          `${MACHINE_PATHS.programs}/slip.js`,
          'read-logs',
          `${MACHINE_PATHS.logs}/${request.service}`,
          request.follow ? 'follow' : 'once',
          request.since ?? '-',
          request.tail === null ? '-' : `${request.tail}`,
          request.json ? 'json' : 'text',
        ];
        return runSession(
          system,
          admitted,
          connection,
          { terminal: null, termType: 'dumb' },
          { argv, pidFile: null, output: 'fifo' },
        );
      }
    }
  }

  function userName(uid: number): string {
    const user = daemon.description().users.find((candidate) => candidate.uid === uid);
    return user === undefined ? `uid ${uid}` : `${user.name} (uid ${uid})`;
  }
}

function failed(code: string, message: string, hint: string | null = null): Reply {
  return { type: 'error', code, message, hint };
}
