/** Owners and modes of many files with few programs: collected, then set by busybox, sets of equal ones together. */
import { SlipwayError } from '../../../../spec/error.ts';
import { runProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';

/** As many paths of 4 KiB fit the kernel's limit for arguments several times. */
const BATCH = 100;

export interface Attributes {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

export interface AttributeSetter {
  /** `path` has just been made by us, root's and with `mode` as far as the umask lets it; links have no mode. */
  /** True while that still has to be done. */
  set(path: string, wanted: Attributes, kind: 'link' | 'made' | 'other'): Promise<boolean>;
  /** Before a path that was set is replaced or removed, and at the end. */
  flush(): Promise<void>;
}

export function attributeSetter(system: System, umask: number): AttributeSetter {
  const owners = new Map<string, string[]>();
  const modes = new Map<string, string[]>();

  async function flushOwners(): Promise<void> {
    for (const [owner, paths] of owners)
      await demand(system, ['busybox', 'chown', '-h', owner, '--', ...paths]);
    owners.clear();
  }
  async function flush(): Promise<void> {
    // A change of the owner takes the set-id bits away: modes come after.
    await flushOwners();
    for (const [mode, paths] of modes) await demand(system, ['busybox', 'chmod', mode, '--', ...paths]);
    modes.clear();
  }
  return {
    flush,
    async set(path, { uid, gid, mode }, kind) {
      const owned = kind === 'other' || uid !== 0 || gid !== 0;
      const most = Math.max(
        owned ? add(owners, `${uid}:${gid}`, path) : 0,
        kind !== 'link' && (owned || (mode & (0o7000 | umask)) !== 0)
          ? add(modes, mode.toString(8), path)
          : 0,
      );
      if (most < BATCH) return most > 0;
      await flush();
      return false;
    },
  };
}

/** What the umask takes away from the files that we make. `directory` is a place to try it. */
export function umaskOf(system: System, directory: string): number {
  const path = `${directory}/.umask`;
  system.remove(path);
  const fd = system.open(path, { access: 'write', create: { mode: 0o777, exclusive: true } });
  if (fd < 0) return 0o777;
  const mode = system.descriptorStatus(fd)?.mode ?? 0;
  system.close(fd);
  system.remove(path);
  return 0o777 & ~mode;
}

export async function demand(system: System, argv: readonly string[]): Promise<void> {
  const { code } = await runProgram(system, argv);
  if (code !== 0)
    throw new SlipwayError('services.program', `${argv.slice(0, 3).join(' ')} failed (${code})`);
}

function add(sets: Map<string, string[]>, key: string, path: string): number {
  const paths = sets.get(key) ?? [];
  paths.push(path);
  sets.set(key, paths);
  return paths.length;
}
