/** The EFI system partition through the kernel's vfat. */
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { Esp } from './boot-disk.ts';

export const ESP_MOUNT = '/run/slipway/esp';
/**
 * `dirsync`: in a rename, the new place is written before the old name goes. `errors=continue`: of two names of one content both can be
 * removed (cleaning.ts), where vfat would otherwise refuse all further writing.
 */
const OPTIONS = 'rw,nosuid,nodev,noexec,noatime,dirsync,errors=continue,umask=077,quiet';
const SMALL_FILE_BYTES = 1024 * 1024;
const WRITE_BYTES = 65_536;

export interface MountedEsp {
  readonly esp: Esp;
  readonly mount: () => Promise<void>;
  readonly unmount: () => Promise<void>;
}

/** The caller has the lock. */
export function mountedEsp(system: System, device: string): MountedEsp {
  const attempt = async (...argv: readonly string[]): Promise<boolean> =>
    (await runProgram(system, ['busybox', ...argv])).code === 0;
  const demand = async (what: string, ...argv: readonly string[]): Promise<void> => {
    if (!(await attempt(...argv))) throw fault(`${what} (${argv.join(' ')})`);
  };
  const output = async (...argv: readonly string[]): Promise<string | undefined> => {
    const { code, stdout } = await runProgram(system, ['busybox', ...argv]);
    return code === 0 ? system.decode(stdout).trim() : undefined;
  };
  const place = (path: string): string => `${ESP_MOUNT}/${path}`;

  const unmount = async (): Promise<void> => {
    if (!isMounted(system)) return;
    // Somebody may stand in it: detached, it goes when they go.
    if (!(await attempt('umount', ESP_MOUNT))) await attempt('umount', '-l', ESP_MOUNT);
  };
  const mount = async (): Promise<void> => {
    system.makeDirectory(ESP_MOUNT, 0o700);
    // Of a process that was killed.
    await unmount();
    await demand(`${device} cannot be mounted`, 'mount', '-t', 'vfat', '-o', OPTIONS, device, ESP_MOUNT);
  };

  const esp: Esp = {
    list: (directory) =>
      Promise.resolve(
        system.list(place(directory)).flatMap((name) => {
          const found = system.linkStatus(place(join(directory, name)));
          if (found?.kind !== 'file' && found?.kind !== 'directory') return [];
          return [{ name, kind: found.kind, sizeBytes: found.sizeBytes }];
        }),
      ),
    read: (path) => {
      const fd = system.open(place(path), { access: 'read' });
      if (fd < 0) return Promise.resolve(undefined);
      const bytes = system.readAt(fd, 0, SMALL_FILE_BYTES + 1);
      system.close(fd);
      if (bytes === 'failed') throw fault(`${path} cannot be read`);
      if (bytes.length > SMALL_FILE_BYTES) throw fault(`${path} is too large`);
      return Promise.resolve(bytes);
    },
    digest: async (path) => {
      if (system.linkStatus(place(path))?.kind !== 'file') return undefined;
      return /^[0-9a-f]{64}/.exec((await output('sha256sum', place(path))) ?? '')?.[0];
    },
    freeBytes: async () => {
      const [blocks, size] = ((await output('stat', '-f', '-c', '%a %S', ESP_MOUNT)) ?? '')
        .split(' ')
        .map(Number);
      if (!(blocks! >= 0) || !(size! > 0)) throw fault('its free space cannot be told');
      return blocks! * size!;
    },
    makeDirectory: (path) => {
      if (!system.makeDirectory(place(path))) throw fault(`the directory ${path} cannot be made`);
      return Promise.resolve();
    },
    write: async (path, content) => {
      try {
        if (typeof content === 'function') await content(place(path), place);
        else writeFile(system, place(path), content);
      } catch (error) {
        // A part of a kernel is worse than none (failure 12).
        system.remove(place(path));
        throw error;
      }
    },
    syncFile: (path) => demand(`${path} cannot be flushed`, 'sync', place(path)),
    syncDirectory: (path) => demand(`${path} cannot be flushed`, 'sync', place(path)),
    rename: (from, to) => {
      if (!system.rename(place(from), place(to))) throw fault(`${from} cannot be renamed to ${to}`);
      return Promise.resolve();
    },
    remove: (path) => {
      if (!system.remove(place(path))) throw fault(`${path} cannot be removed`);
      return Promise.resolve();
    },
    dropCaches: async () => {
      await unmount();
      await demand('its cache cannot be dropped', 'blockdev', '--flushbufs', device);
      await mount();
    },
  };
  return { esp, mount, unmount };
}

function writeFile(system: System, path: string, bytes: Uint8Array): void {
  const fd = system.open(path, { access: 'write', create: { mode: 0o600 } });
  if (fd < 0) throw fault(`${path} cannot be made (${-fd})`);
  let done = 0;
  while (done < bytes.length) {
    const count = system.write(fd, bytes.subarray(done, done + WRITE_BYTES));
    if (typeof count !== 'number' || count <= 0) break;
    done += count;
  }
  system.close(fd);
  if (done < bytes.length) throw fault(`${path} cannot be written: it may be full`);
}

function isMounted(system: System): boolean {
  return (system.readText('/proc/mounts') ?? '').includes(` ${ESP_MOUNT} `);
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

function fault(what: string): SlipwayError {
  return new SlipwayError('switch.esp', `the boot partition: ${what}`, {
    hint: 'docs/recovery.md says what to do about a damaged or read-only boot partition',
  });
}
