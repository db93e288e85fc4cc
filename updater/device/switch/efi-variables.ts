/** EFI variables through efivarfs, which is mounted for as long as a call takes, at a place of our own. */
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { BootDisk, EfiVariable } from './boot-disk.ts';

const MOUNT = '/run/slipway/efivars';
const FIRMWARE = '/sys/firmware/efi';
/** Kept over power cycles, for boot services and the running system (UEFI specification, 8.2). */
const ATTRIBUTES = 0x07;
/** More than the firmware keeps in one variable. */
const LIMIT_BYTES = 256 * 1024;

type Variables = Pick<BootDisk, 'readVariable' | 'writeVariable' | 'removeVariable'>;

export function efiVariables(system: System, run: (...argv: readonly string[]) => Promise<void>): Variables {
  const path = ({ name, vendor }: EfiVariable): string => `${MOUNT}/${name}-${vendor}`;
  /** `absent` where the machine has no EFI variables. */
  const mounted = async <T>(absent: T, body: () => Promise<T>): Promise<T> => {
    if (system.status(FIRMWARE) === undefined) return absent;
    const isMounted = (system.readText('/proc/mounts') ?? '').includes(` ${MOUNT} `);
    if (!isMounted) {
      system.makeDirectory(MOUNT, 0o700);
      const options = 'nosuid,nodev,noexec';
      const { code } = await runProgram(system, [
        'busybox',
        'mount',
        '-t',
        'efivarfs',
        '-o',
        options,
        'efivarfs',
        MOUNT,
      ]);
      if (code !== 0) return absent;
    }
    try {
      return await body();
    } finally {
      await runProgram(system, ['busybox', 'umount', MOUNT]);
    }
  };
  // The kernel marks variables immutable, against `rm -rf`.
  const unlock = (variable: EfiVariable): Promise<void> => run('chattr', '-i', path(variable));

  return {
    readVariable: (variable) =>
      mounted(undefined, () => {
        const fd = system.open(path(variable), { access: 'read' });
        if (fd < 0) return Promise.resolve(undefined);
        // Its files know no offsets, so not readAt.
        const bytes = system.read(fd, LIMIT_BYTES);
        system.close(fd);
        return Promise.resolve(bytes instanceof Uint8Array && bytes.length >= 4 ? bytes.slice(4) : undefined);
      }),
    writeVariable: (variable, bytes, options = {}) =>
      mounted(undefined, async () => {
        if (system.status(path(variable)) !== undefined) await unlock(variable);
        const content = new Uint8Array(4 + bytes.length);
        new DataView(content.buffer).setUint32(0, options.attributes ?? ATTRIBUTES, true);
        content.set(bytes, 4);
        const fd = system.open(path(variable), { access: 'write', create: { mode: 0o600 } });
        // The firmware takes it as one write or not at all.
        const count = fd < 0 ? 'failed' : system.write(fd, content);
        if (fd >= 0) system.close(fd);
        if (count !== content.length)
          throw new SlipwayError(
            'switch.variable',
            `the firmware refuses to write the variable ${variable.name}`,
          );
      }),
    removeVariable: (variable) =>
      mounted(undefined, async () => {
        if (system.status(path(variable)) === undefined) return;
        await unlock(variable);
        if (!system.remove(path(variable)))
          throw new SlipwayError(
            'switch.variable',
            `the firmware refuses to remove the variable ${variable.name}`,
          );
      }),
  };
}
