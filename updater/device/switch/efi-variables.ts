/** EFI variables through efivarfs, which is mounted by the first call after a start and stays, at a place that only root enters. */
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { BootDisk, EfiVariable } from './boot-disk.ts';
import { withLock } from './lock.ts';

const DIRECTORY = '/run/slipway/efi';
const MOUNT = `${DIRECTORY}/variables`;
const FIRMWARE = '/sys/firmware/efi';
/** Kept over power cycles, for boot services and the running system (UEFI specification, 8.2). */
const ATTRIBUTES = 0x07;
/** More than the firmware keeps in one variable. */
const LIMIT_BYTES = 256 * 1024;

type Variables = Pick<BootDisk, 'readVariable' | 'writeVariable' | 'removeVariable'>;

export function efiVariables(system: System, run: (...argv: readonly string[]) => Promise<void>): Variables {
  const path = ({ name, vendor }: EfiVariable): string => `${MOUNT}/${name}-${vendor}`;
  /** Whether the machine has EFI variables. Mounts them when nothing has yet. */
  const present = async (): Promise<boolean> => {
    if (isMounted(system)) return true;
    if (system.status(FIRMWARE) === undefined) return false;
    // Two programs may want them at the same moment.
    return withLock(system, DIRECTORY, async () => {
      if (isMounted(system)) return true;
      // efivarfs cannot shut others out; its directory can.
      system.makeDirectory(DIRECTORY, 0o700);
      system.makeDirectory(MOUNT, 0o700);
      const options = 'nosuid,nodev,noexec';
      const argv = ['busybox', 'mount', '-t', 'efivarfs', '-o', options, 'efivarfs', MOUNT];
      return (await runProgram(system, argv)).code === 0;
    });
  };
  // The kernel marks variables immutable, against `rm -rf`.
  const unlock = (variable: EfiVariable): Promise<void> => run('chattr', '-i', path(variable));

  return {
    readVariable: async (variable) => {
      if (!(await present())) return undefined;
      const fd = system.open(path(variable), { access: 'read' });
      if (fd < 0) return undefined;
      // Its files know no offsets, so not readAt.
      const bytes = system.read(fd, LIMIT_BYTES);
      system.close(fd);
      return bytes instanceof Uint8Array && bytes.length >= 4 ? bytes.slice(4) : undefined;
    },
    writeVariable: async (variable, bytes, options = {}) => {
      if (!(await present())) return;
      if (system.status(path(variable)) !== undefined) await unlock(variable);
      const content = new Uint8Array(4 + bytes.length);
      new DataView(content.buffer).setUint32(0, options.attributes ?? ATTRIBUTES, true);
      content.set(bytes, 4);
      const fd = system.open(path(variable), { access: 'write', create: { mode: 0o600 } });
      // The firmware takes it as one write or not at all.
      const count = fd < 0 ? 'failed' : system.write(fd, content);
      if (fd >= 0) system.close(fd);
      if (count !== content.length) throw refused('write', variable);
    },
    removeVariable: async (variable) => {
      if (!(await present()) || system.status(path(variable)) === undefined) return;
      await unlock(variable);
      if (!system.remove(path(variable))) throw refused('remove', variable);
    },
  };
}

function isMounted(system: System): boolean {
  return (system.readText('/proc/mounts') ?? '').includes(` ${MOUNT} `);
}

function refused(what: string, { name }: EfiVariable): SlipwayError {
  return new SlipwayError('switch.variable', `the firmware refuses to ${what} the variable ${name}`);
}
