/** Words with a fixed list or form: capabilities, signals, resource limits, names, paths. */
import * as z from 'zod';
import { normalisePath } from './machine-path.ts';
import { nearest } from './suggest.ts';

export { normalisePath };

/** capabilities(7), in the kernel's order, without `CAP_`. */
export const CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const;

/** Resource limits of setrlimit(2), as Docker names them. */
export const ULIMITS = [
  'as',
  'core',
  'cpu',
  'data',
  'fsize',
  'locks',
  'memlock',
  'msgqueue',
  'nice',
  'nofile',
  'nproc',
  'rss',
  'rtprio',
  'rttime',
  'sigpending',
  'stack',
] as const;

const SIGNALS =
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'.split(
    ' ',
  );

/** `NET_ADMIN`, also written `CAP_NET_ADMIN` or in lower case; `ALL`. The value has no `CAP_`. */
export const capabilitySchema = z.string().transform((text, context) => {
  const name = text.toUpperCase().replace(/^CAP_/, '');
  if (name === 'ALL' || CAPABILITIES.some((known) => known === name)) return name;
  return refuse(context, `'${text}' is no Linux capability`, meant(name, [...CAPABILITIES, 'ALL']));
});

/** `SIGTERM`, also written `TERM`, `15` or `SIGRTMIN+3`. The value is `SIG...` or a number. */
export const signalSchema = z.string().transform((text, context) => {
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (/^([1-9]|[1-5]\d|6[0-4])$/.test(text))
    return SIGNALS[Number(text) - 1] === undefined ? text : `SIG${SIGNALS[Number(text) - 1]}`;
  if (SIGNALS.includes(name) || /^RTM(IN(\+\d\d?)?|AX(-\d\d?)?)$/.test(name)) return `SIG${name}`;
  return refuse(
    context,
    `'${text}' is no signal`,
    meant(name, SIGNALS, 'SIG') ?? 'write a name such as SIGTERM, or a number',
  );
});

/** The name of a service, a named volume or a profile. It is part of paths and control groups on the machine. */
export const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

/** An absolute path on the machine: no `..`, no trailing slash needed. The value is normalised. */
export const machinePathSchema = z
  .string()
  .transform((text, context) => {
    const path = normalisePath(text);
    if (path !== undefined) return path;
    return refuse(
      context,
      `'${text}' is no absolute path`,
      "write it from the root on: '/etc/example', without '..'",
    );
  })
  .meta({ title: 'absolute path' });

/** Adds an issue with a hint and gives back zod's "no value". */
export function refuse(
  context: {
    addIssue: (issue: {
      code: 'custom';
      message: string;
      params: object;
      input: unknown;
      path?: PropertyKey[];
    }) => void;
  },
  message: string,
  hint?: string,
  options: { code?: string; path?: (string | number)[] } = {},
): never {
  context.addIssue({
    code: 'custom',
    message,
    params: { hint, code: options.code },
    input: undefined,
    ...(options.path === undefined ? {} : { path: options.path }),
  });
  return z.NEVER;
}

function meant(word: string, known: readonly string[], prefix = ''): string | undefined {
  const found = nearest(word, known);
  return found === undefined ? undefined : `did you mean '${prefix}${found}'?`;
}
