/**
 * How `slip` reaches slipd: through files under /run/slip, since QuickJS has no sockets. The directory's permissions admit root and the
 * group `operators`; the caller is the owner of the request file.
 *
 * ```
 * /run/slip             root:operators 0710
 * /run/slip/wake        FIFO, root:operators 0620: one byte wakes slipd
 * /run/slip/requests    root:operators 1730: names cannot be listed, nor taken away by others
 *   <id>.request        the request, JSON, renamed into place when the FIFOs are there
 *   <id>.reply          FIFO: slipd answers, a JSON line each
 *   <id>.lease          FIFO: the client holds it open as long as it lives, and sends `winch`, `signal <number>`
 *   <id>.in .out .err   FIFOs: what a command reads and writes, without a terminal
 * ```
 *
 * With a terminal, the command gets a pseudo-terminal of its own from crun, whose other side is the caller's, opened by its path.
 */
import type { MachineStatus, StateStatus } from '../../spec/machine.ts';

export const CONTROL = {
  directory: '/run/slip',
  wake: '/run/slip/wake',
  requests: '/run/slip/requests',
} as const;

export const LIMITS = {
  requestBytes: 64 * 1024,
  sessions: 32,
  /** Requests that came but were never finished are swept after this long. */
  abandonedMs: 120_000,
} as const;

/** What an operator has to say, word for word, before the state partition is made anew. */
export const ERASE_STATE = 'yes-erase-all-data';

/** Of an encrypted state partition: 256 bits in systemd's letters, which lie where they lie on every keyboard (systemd-cryptenroll(1)). */
export const RECOVERY_KEY = /^[cbdefghijklnrtuv]{8}(-[cbdefghijklnrtuv]{8}){7}$/;

/** `<id>`: 24 hexadecimal digits from the client's random source. */
export const REQUEST_NAME = /^([0-9a-f]{24})\.request$/;

export interface Session {
  /** `/dev/pts/N`, which belongs to the caller; `null`: the three FIFOs. */
  readonly terminal: string | null;
  readonly termType: string;
}

export type Request =
  | { readonly kind: 'status' | 'state' }
  | { readonly kind: 'state-reset'; readonly erase: typeof ERASE_STATE }
  /** `recoveryKey`: as it was shown once, see RECOVERY_KEY. */
  | { readonly kind: 'state-unlock'; readonly recoveryKey: string; readonly enrol: boolean }
  | { readonly kind: 'start' | 'stop' | 'restart'; readonly service: string }
  | { readonly kind: 'reboot' | 'poweroff' }
  | ({
      readonly kind: 'exec';
      readonly service: string;
      readonly command: readonly string[];
      readonly user: string | null;
    } & Session)
  | ({
      readonly kind: 'shell' | 'update' | 'config' | 'install';
      readonly command: readonly string[];
    } & Session)
  | {
      readonly kind: 'logs';
      readonly service: string;
      readonly follow: boolean;
      /** `YYYY-MM-DD_HH:MM:SS.ffffff`, UTC: lines from then on. */
      readonly since: string | null;
      /** The last so many lines of what there is; `null`: all. */
      readonly tail: number | null;
      readonly json: boolean;
    };

export type Reply =
  | { readonly type: 'status'; readonly status: MachineStatus }
  | { readonly type: 'state'; readonly state: StateStatus }
  | { readonly type: 'done'; readonly message: string }
  | { readonly type: 'error'; readonly code: string; readonly message: string; readonly hint: string | null }
  /** The command runs; the client lets go of the FIFO ends that it held for it. */
  | { readonly type: 'running' }
  | { readonly type: 'exit'; readonly code: number };

/** A request as a stranger may have written it: checked field by field; `undefined` when it is none. */
export function parseRequest(text: string): Request | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const field = value as Record<string, unknown>;
  switch (field['kind']) {
    case 'state-reset':
      return field['erase'] === ERASE_STATE ? { kind: 'state-reset', erase: ERASE_STATE } : undefined;
    case 'state-unlock': {
      const { recoveryKey, enrol } = field;
      if (typeof recoveryKey !== 'string' || !RECOVERY_KEY.test(recoveryKey) || typeof enrol !== 'boolean')
        return undefined;
      return { kind: 'state-unlock', recoveryKey, enrol };
    }
    case 'status':
    case 'state':
    case 'reboot':
    case 'poweroff':
      return { kind: field['kind'] };
    case 'start':
    case 'stop':
    case 'restart': {
      const service = serviceName(field['service']);
      return service === undefined ? undefined : { kind: field['kind'], service };
    }
    case 'exec': {
      const service = serviceName(field['service']);
      const command = words(field['command']);
      const user = field['user'];
      const session = parseSession(field);
      if (service === undefined || command === undefined || command.length === 0 || session === undefined)
        return undefined;
      if (user !== null && !(typeof user === 'string' && /^\d{1,9}(:\d{1,9})?$/.test(user))) return undefined;
      return { kind: 'exec', service, command, user, ...session };
    }
    case 'shell':
    case 'update':
    case 'config':
    case 'install': {
      const command = words(field['command']);
      const session = parseSession(field);
      return command === undefined || session === undefined
        ? undefined
        : { kind: field['kind'], command, ...session };
    }
    case 'logs': {
      const service = serviceName(field['service']);
      const { follow, since, tail, json } = field;
      if (service === undefined || typeof follow !== 'boolean' || typeof json !== 'boolean') return undefined;
      if (since !== null && !(typeof since === 'string' && /^[\d:._-]{10,32}$/.test(since))) return undefined;
      if (tail !== null && !(typeof tail === 'number' && Number.isInteger(tail) && tail >= 0))
        return undefined;
      return { kind: 'logs', service, follow, since, tail, json };
    }
    default:
      return undefined;
  }
}

/** Compose's names; so never a path, an option, or more than one line. */
function serviceName(value: unknown): string | undefined {
  return typeof value === 'string' && /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,127}$/.test(value) ? value : undefined;
}

function words(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length > 4096) return undefined;
  return value.every((word): word is string => typeof word === 'string' && !word.includes('\0'))
    ? value
    : undefined;
}

function parseSession(field: Record<string, unknown>): Session | undefined {
  const { terminal, termType } = field;
  if (terminal !== null && !(typeof terminal === 'string' && /^\/dev\/[A-Za-z0-9/]{1,32}$/.test(terminal)))
    return undefined;
  if (typeof termType !== 'string' || !/^[A-Za-z0-9._+-]{1,64}$/.test(termType)) return undefined;
  return { terminal, termType };
}
