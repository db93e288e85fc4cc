/** From a file that anybody of `operators` may have put there to a request by a known caller: nothing about it is believed. */
import { CONTROL, LIMITS, parseRequest, type Request } from '../../control/protocol.ts';
import type { System } from '../../../system/system.ts';

export interface Admitted {
  readonly id: string;
  readonly uid: number;
  /** `undefined`: it could not be read as a request. */
  readonly request: Request | undefined;
}

/** Reads a request and takes its file away. `undefined`: not a file that a client of ours would leave. */
export function admit(system: System, id: string): Admitted | undefined {
  const path = `${CONTROL.requests}/${id}.request`;
  // Links are not followed and FIFOs not waited for; what was opened is judged, not what the name meant a moment ago.
  const fd = system.open(path, { access: 'read', nonBlocking: true, noFollow: true });
  const found = fd < 0 ? undefined : system.descriptorStatus(fd);
  const sound = found?.kind === 'file' && found.links === 1 && found.sizeBytes <= LIMITS.requestBytes;
  const text = sound ? readAll(system, fd) : undefined;
  if (fd >= 0) system.close(fd);
  system.remove(path);
  if (text === undefined || found === undefined) return undefined;
  return { id, uid: found.uid, request: parseRequest(text) };
}

/** Opens one of the request's FIFOs; only if it is one, and the caller's own. Negative when not. */
export function openFifo(
  system: System,
  admitted: Admitted,
  suffix: string,
  access: 'read' | 'write' | 'read-write',
): number {
  const path = `${CONTROL.requests}/${admitted.id}.${suffix}`;
  const fd = system.open(path, { access, nonBlocking: true, noFollow: true });
  if (fd < 0) return fd;
  const found = system.descriptorStatus(fd);
  if (found?.kind === 'fifo' && found.uid === admitted.uid) return fd;
  system.close(fd);
  return -1;
}

/**
 * The end of a FIFO that a command gets: an ordinary, waiting descriptor. Opening one would wait for the other side, for ever if the
 * client wants that; so both sides are opened first, and the wanted one through /proc.
 */
export function openCommandEnd(
  system: System,
  admitted: Admitted,
  suffix: string,
  access: 'read' | 'write',
): number {
  const both = openFifo(system, admitted, suffix, 'read-write');
  if (both < 0) return both;
  const end = system.open(`/proc/self/fd/${both}`, { access });
  system.close(both);
  return end;
}

/** The caller's own terminal, by its path. Root may use consoles too. */
export function openTerminal(system: System, uid: number, path: string): number {
  const pseudo = /^\/dev\/pts\/\d{1,8}$/.test(path);
  if (!pseudo && !(uid === 0 && /^\/dev\/(console|tty[A-Z]*\d+|hvc\d+)$/.test(path))) return -1;
  const fd = system.open(path, { access: 'read-write', nonBlocking: true, noFollow: true });
  if (fd < 0) return fd;
  const found = system.descriptorStatus(fd);
  const terminal =
    found?.kind === 'character' && (pseudo ? isPseudo(found.deviceMajor) : system.isTerminal(fd));
  const own = found?.uid === uid || uid === 0;
  // Without O_NONBLOCK for the command. The terminal exists, so this does not wait.
  const waiting = terminal && own ? system.open(`/proc/self/fd/${fd}`, { access: 'read-write' }) : -1;
  system.close(fd);
  return waiting;
}

/** Removes everything that a request left. */
export function sweep(system: System, id: string): void {
  for (const suffix of ['request', 'request.new', 'reply', 'lease', 'in', 'out', 'err'])
    system.remove(`${CONTROL.requests}/${id}.${suffix}`);
}

/** Major numbers of UNIX98 pseudo-terminals (Documentation/admin-guide/devices.txt). */
function isPseudo(major: number): boolean {
  return major >= 136 && major <= 143;
}

function readAll(system: System, fd: number): string | undefined {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const bytes = system.read(fd, LIMITS.requestBytes + 1);
    if (bytes === 'again' || bytes === 'failed') return undefined;
    if (bytes.length === 0) break;
    total += bytes.length;
    // It may grow while it is read.
    if (total > LIMITS.requestBytes) return undefined;
    chunks.push(bytes);
  }
  const all = new Uint8Array(total);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return system.decode(all);
}
