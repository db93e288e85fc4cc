/** Where the machine is that shall become another: `ssh://[user@]host[:port]`. */
import { SlipwayError } from '../../spec/error.ts';
import { run, type RunOptions, type RunResult } from '../process/run.ts';

export interface SshAddress {
  readonly user: string;
  readonly host: string;
  readonly port: number;
}

export interface SshOptions {
  /** Private key file; without it what the user's own configuration and agent offer. */
  readonly identity?: string;
  /** ssh's own options, `Name=value`. */
  readonly settings?: readonly string[];
}

/** Throws `install.address`. */
export function parseSshAddress(text: string): SshAddress {
  const match =
    /^ssh:\/\/(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?(\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(?::(\d{1,5}))?\/?$/.exec(
      text,
    );
  const port = Number(match?.[3] ?? 22);
  if (match?.[2] === undefined || port < 1 || port > 65_535)
    throw new SlipwayError('install.address', `${text} is no address of a machine`, {
      hint: 'write ssh://user@host, or ssh://user@host:port',
    });
  return { user: match[1] ?? 'root', host: match[2].replace(/^\[|\]$/g, ''), port };
}

/** Runs a command on the machine through OpenSSH's client, which asks nothing. */
export function onMachine(
  { user, host, port }: SshAddress,
  { identity, settings = [] }: SshOptions,
  command: string,
  options: RunOptions = {},
): Promise<RunResult> {
  const own = [
    'BatchMode=yes',
    'ConnectTimeout=15',
    'ServerAliveInterval=10',
    'ServerAliveCountMax=6',
    ...(identity === undefined ? [] : ['IdentitiesOnly=yes']),
    ...settings,
  ];
  return run(
    [
      'ssh',
      ...own.flatMap((setting) => ['-o', setting]),
      ...(identity === undefined ? [] : ['-i', identity]),
      ...['-p', String(port), '-l', user, '--', host, command],
    ],
    options,
  );
}
