/** A real OpenSSH server on loopback with keys and configuration of its own: Debian's, unpacked beside, so that none is started on the workstation. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cachedDirectory } from '../../../../builder/cache/directory.ts';

const execute = promisify(execFile);

export interface Sshd {
  readonly port: number;
  /** Whom to log in as: not root, who is not let in without the server's own user. */
  readonly user: string;
  /** Where that user may write. */
  readonly folder: string;
  /** For `--ssh-config`. */
  readonly configFile: string;
  /** The same without the host's key. */
  readonly strangerConfigFile: string;
  /** Cuts the connections that are open. */
  cut(): Promise<void>;
  close(): Promise<void>;
}

const NOBODY = 65534;

export async function startSshd(scratch: string): Promise<Sshd> {
  const asRoot = process.getuid?.() === 0;
  const folder = join(scratch, 'served');
  await mkdir(folder, { recursive: true });
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(scratch, 'host')]);
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(scratch, 'user')]);
  const port = await freePort();
  // Copied, because whom it runs as cannot look into root's cache.
  const unpacked = join(scratch, 'sshd');
  await cp(await sshdPackages(), unpacked, { recursive: true, verbatimSymlinks: true });
  // Since OpenSSH 9.8 it is several programs.
  const others = [
    ['SshdSessionPath', 'sshd-session'],
    ['SshdAuthPath', 'sshd-auth'],
  ].map(([option = '', name = '']) => ({ option, path: join(unpacked, 'usr/lib/openssh', name) }));
  await writeFile(
    join(scratch, 'sshd_config'),
    [
      `ListenAddress 127.0.0.1:${port}`,
      `HostKey ${join(scratch, 'host')}`,
      `AuthorizedKeysFile ${join(scratch, 'user.pub')}`,
      'PasswordAuthentication no',
      'UsePAM no',
      'StrictModes no',
      'PidFile none',
      'Subsystem sftp internal-sftp',
      ...others.filter(({ path }) => existsSync(path)).map(({ option, path }) => `${option} ${path}`),
      '',
    ].join('\n'),
  );
  if (asRoot) {
    for (const path of [folder, join(scratch, 'host')]) await chown(path, NOBODY, NOBODY);
    await chmod(scratch, 0o755);
  }
  const triple = `${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`;
  const libraries = ['lib', 'usr/lib'].map((folder) => join(unpacked, folder, triple)).join(':');
  const command = [join(unpacked, 'usr/sbin/sshd'), '-D', '-e', '-f', join(scratch, 'sshd_config')];
  await writeFile(join(scratch, 'shadow'), 'nobody:NP:20000:0:99999:7:::\n', { mode: 0o644 });
  // A server without PAM takes the usual `*` for a locked account: it sees another list, in a mount namespace of its own.
  const script =
    'mount --bind "$1" /etc/shadow && shift && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"';
  const [program = '', ...args] = asRoot
    ? ['unshare', '--mount', 'sh', '-c', script, 'sh', join(scratch, 'shadow'), ...command]
    : command;
  const server = spawn(program, args, {
    env: { PATH: process.env['PATH'], LD_LIBRARY_PATH: libraries },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  server.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  for (let waitedMs = 0; !log.includes('Server listening'); waitedMs += 50) {
    if (waitedMs > 10_000 || server.exitCode !== null) throw new Error(`sshd does not start: ${log}`);
    await sleep(50);
  }
  const user = asRoot ? 'nobody' : (await execute('id', ['-un'])).stdout.trim();
  const { stdout: hostKey } = await execute('ssh-keygen', ['-y', '-f', join(scratch, 'host')]);
  await writeFile(join(scratch, 'known_hosts'), `[127.0.0.1]:${port} ${hostKey}`);
  await writeFile(join(scratch, 'nobody_known'), '');
  const config = async (name: string, known: string): Promise<string> => {
    const text = [
      `IdentityFile ${join(scratch, 'user')}`,
      'IdentitiesOnly yes',
      `UserKnownHostsFile ${join(scratch, known)}`,
      'GlobalKnownHostsFile none',
      'StrictHostKeyChecking yes',
      '',
    ].join('\n');
    await writeFile(join(scratch, name), text);
    return join(scratch, name);
  };
  return {
    ...{ port, user, folder },
    configFile: await config('ssh_config', 'known_hosts'),
    strangerConfigFile: await config('stranger_config', 'nobody_known'),
    cut: async () => {
      // The server's children, one for each connection, and theirs.
      for (const monitor of await childrenOf(server.pid ?? 0)) {
        const sessions = await childrenOf(monitor);
        for (const pid of [monitor, ...sessions]) kill(pid);
      }
    },
    close: async () => {
      const ended = new Promise((resolve) => server.once('exit', resolve));
      server.kill();
      await ended;
    },
  };
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  // It exits with 1 when there are none.
  const { stdout } = await execute('pgrep', ['-P', String(pid)]).catch(() => ({ stdout: '' }));
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was over already.
  }
}

/** Unpacked, not installed: installing it would start a server for the whole network. */
function sshdPackages(): Promise<string> {
  return cachedDirectory('test-sshd', { version: 1 }, async (directory) => {
    await execute('apt-get', ['download', 'openssh-server', 'libwrap0'], { cwd: directory });
    for (const name of (await readdir(directory)).filter((each) => each.endsWith('.deb')))
      await execute('dpkg-deb', ['-x', name, '.'], { cwd: directory });
    await execute('chmod', ['-R', 'a+rX', directory]);
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
