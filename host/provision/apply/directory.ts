/**
 * Directories that are held open while something is done in them, reached one name at a time without following a symbolic link: whoever
 * owns a directory on the way cannot lead us elsewhere, at no moment. What openat(2) does, by way of /proc/PID/fd.
 */
import type { System } from '../../../system/system.ts';
import { busybox } from './command.ts';
import { reasonOf } from './result.ts';

export interface Directory {
  /** The path of a name in it, also for programs that we start. */
  readonly at: (name: string) => string;
  readonly close: () => void;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Missing directories are made, 0755, with this owner; without one they are a fault. */
export async function openDirectory(
  system: System,
  path: string,
  owner: Owner | undefined,
): Promise<Directory | { readonly problem: string }> {
  let current = hold(system, system.open('/', DIRECTORY));
  let walked = '';
  for (const name of path.split('/').filter((part) => part !== '')) {
    walked = `${walked}/${name}`;
    const step = current.at(name);
    let fd = system.open(step, DIRECTORY);
    if (fd === -ENOENT && owner !== undefined) {
      const problem = await makeDirectory(system, step, owner);
      fd = problem === undefined ? system.open(step, DIRECTORY) : -EIO;
      if (problem !== undefined) {
        current.close();
        return { problem: `${walked} cannot be made: ${problem}` };
      }
    }
    const kind = fd < 0 ? undefined : system.descriptorStatus(fd)?.kind;
    current.close();
    if (fd < 0) return { problem: `${walked}: ${reasonOf(fd)}` };
    if (kind !== 'directory') {
      system.close(fd);
      return { problem: `${walked} is no directory` };
    }
    current = hold(system, fd);
  }
  return current;
}

/** The directory of a path, and the name in it. */
export function splitPath(path: string): { readonly directory: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { directory: path.slice(0, slash), name: path.slice(slash + 1) };
}

const DIRECTORY = { access: 'read', noFollow: true, nonBlocking: true } as const;
const ENOENT = 2;
const EIO = 5;

function hold(system: System, fd: number): Directory {
  return { at: (name) => `/proc/${system.pid}/fd/${fd}/${name}`, close: () => system.close(fd) };
}

async function makeDirectory(system: System, path: string, owner: Owner): Promise<string | undefined> {
  if (!system.makeDirectory(path, 0o755)) {
    // QuickJS does not say why: a file in its place does.
    const probe = system.open(`${path}.slipway-new`, {
      access: 'write',
      create: { mode: 0o600, exclusive: true },
    });
    if (probe < 0) return reasonOf(probe);
    system.close(probe);
    system.remove(`${path}.slipway-new`);
    return 'there is no space left, or the disk fails';
  }
  if (owner.uid === 0 && owner.gid === 0) return undefined;
  const { code, says } = await busybox(system, ['chown', '-h', `${owner.uid}:${owner.gid}`, path]);
  return code === 0 ? undefined : says;
}
