/** Logging in to a machine: a key pair of its own, its host keys known beforehand, and OpenSSH's real client. */
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryName, writeFileAtomic } from '../builder/cache/directory.ts';
import { run, type RunOptions, type RunResult } from '../builder/process/run.ts';
import { SlipwayError } from '../spec/error.ts';

export interface SshKey {
  readonly privateKey: string;
  /** In authorized_keys format, one line. */
  readonly publicKey: string;
}

/** The ed25519 key pair in a directory, made when there is none: one, however many ask at once. */
export async function sshKey(directory: string): Promise<SshKey> {
  const privateKey = join(directory, 'id_ed25519');
  const publicKey = `${privateKey}.pub`;
  if (!existsSync(privateKey)) await makeKey(directory, privateKey);
  if (!existsSync(publicKey)) {
    const { stdout } = await run(['ssh-keygen', '-y', '-f', privateKey], { hint: INSTALL });
    await writeFileAtomic(publicKey, stdout);
  }
  return { privateKey, publicKey };
}

async function makeKey(directory: string, privateKey: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = temporaryName(privateKey);
  try {
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'slipway run', '-f', temporary], {
      hint: INSTALL,
    });
    // Unlike rename, it replaces nothing: the first one's key is everybody's.
    await link(temporary, privateKey).catch((error: unknown) => {
      if (!existsSync(privateKey)) throw error;
    });
  } finally {
    await rm(temporary, { force: true });
    await rm(`${temporary}.pub`, { force: true });
  }
}

export interface SshAccess {
  /** ssh_config file; `ssh -F <file> machine` logs in without a question. */
  readonly configuration: string;
  /** What a person types. */
  readonly command: readonly string[];
}

/**
 * Writes an ssh_config with the machine's host keys as they are now: they were made on the machine, so the first look is taken on trust,
 * over a forwarded port on this workstation that only our own QEMU holds.
 */
export async function prepareSsh(
  directory: string,
  options: { readonly key: SshKey; readonly port: number; readonly user: string },
): Promise<SshAccess> {
  const knownHosts = join(directory, 'known_hosts');
  const scanned = await run(
    ['ssh-keyscan', '-T', '30', '-t', 'ed25519', '-p', String(options.port), '127.0.0.1'],
    {
      timeoutMs: 60_000,
      hint: INSTALL,
    },
  );
  if (scanned.stdout.length === 0) {
    throw new SlipwayError('lab.no-ssh', `nothing speaks SSH on port ${options.port}`);
  }
  await writeFile(knownHosts, scanned.stdout);
  const configuration = join(directory, 'ssh_config');
  await writeFile(
    configuration,
    [
      'Host machine',
      '  HostName 127.0.0.1',
      `  Port ${options.port}`,
      `  User ${options.user}`,
      `  IdentityFile ${quote(options.key.privateKey)}`,
      '  IdentitiesOnly yes',
      '  IdentityAgent none',
      `  UserKnownHostsFile ${quote(knownHosts)}`,
      '  GlobalKnownHostsFile /dev/null',
      '  StrictHostKeyChecking yes',
      '  PasswordAuthentication no',
      '  ConnectTimeout 30',
      '  LogLevel ERROR',
      '',
    ].join('\n'),
  );
  return { configuration, command: ['ssh', '-F', configuration, 'machine'] };
}

/** Runs a command on the machine through the real client; throws with both streams when it exits non-zero. */
export async function ssh(
  access: SshAccess,
  command: string,
  options: Pick<RunOptions, 'input' | 'timeoutMs' | 'onOutput'> = {},
): Promise<RunResult> {
  return run([...access.command, command], { timeoutMs: 60_000, ...options });
}

/** The public key's text. */
export async function publicKeyText(key: SshKey): Promise<string> {
  return (await readFile(key.publicKey, 'utf8')).trim();
}

const INSTALL = 'install the OpenSSH client: apt-get install openssh-client';

function quote(path: string): string {
  return `"${path}"`;
}
