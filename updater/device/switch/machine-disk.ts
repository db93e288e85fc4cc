/** BootDisk on the machine: each durable primitive, and the program or call behind it (decisions.md 12). */
import { SlipwayError } from '../../../spec/error.ts';
import { UPDATE_PATHS } from '../../../spec/update.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { BootDisk } from './boot-disk.ts';
import { efiVariables } from './efi-variables.ts';
import type { SlotName } from './facts.ts';
import { withLock } from './lock.ts';
import { partitionDevice } from './machine-parts.ts';
import { mountedEsp, ESP_MOUNT } from './machine-esp.ts';
import { powerCut } from './power-cut.ts';
import { SUPERBLOCK_BYTES } from './superblock.ts';

const UPDATE_STATE = UPDATE_PATHS.state;
const RECORD = `${UPDATE_STATE}/record`;
/** Longest record that is read. */
const READ_LIMIT_BYTES = 1024 * 1024;

export function createMachineDisk(system: System): BootDisk {
  const run = async (...argv: readonly string[]): Promise<void> => {
    const { code } = await runProgram(system, argv);
    if (code !== 0) throw new SlipwayError('switch.program', `${argv.join(' ')} failed (${code})`);
  };
  const sync = (...paths: readonly string[]): Promise<void> => run('busybox', 'sync', ...paths);
  const treeDevice = (slot: SlotName): string => partitionDevice(system, `verity-${slot}`);

  return {
    withEsp: (body) =>
      withLock(system, ESP_MOUNT, async () => {
        const { esp, mount, unmount } = mountedEsp(system, partitionDevice(system, 'esp'));
        await mount();
        try {
          return await body(esp);
        } finally {
          await unmount();
        }
      }),

    readSuperblock: async (slot) => {
      await run('busybox', 'blockdev', '--flushbufs', treeDevice(slot));
      return withFile(system, treeDevice(slot), 'read', (fd) => read(system, fd, SUPERBLOCK_BYTES));
    },
    writeSuperblock: (slot, bytes) =>
      withFile(system, treeDevice(slot), 'write', (fd) => write(system, fd, 0, bytes)),
    flushSlot: async (slot) => {
      const devices = [partitionDevice(system, `root-${slot}`), treeDevice(slot)];
      await sync(...devices);
      for (const device of devices) await run('busybox', 'blockdev', '--flushbufs', device);
    },

    readRecord: () => {
      if (system.linkStatus(RECORD)?.kind !== 'file') return Promise.resolve(undefined);
      return withFile(system, RECORD, 'read', (fd) => read(system, fd, READ_LIMIT_BYTES));
    },
    writeRecord: (offset, bytes) =>
      withFile(system, RECORD, 'write', (fd) => write(system, fd, offset, bytes)),
    flushRecord: () => sync(RECORD),
    createRecord: async (sizeBytes) => {
      const temporary = `${RECORD}.new`;
      system.makeDirectory(UPDATE_STATE, 0o700);
      system.remove(temporary);
      const fd = system.open(temporary, { access: 'write', create: { mode: 0o600, exclusive: true } });
      const written = fd >= 0 && system.writeAt(fd, 0, new Uint8Array(sizeBytes));
      if (fd >= 0) system.close(fd);
      if (written) await sync(temporary);
      if (!written || !system.rename(temporary, RECORD)) {
        system.remove(temporary);
        throw new SlipwayError('switch.record', 'the state partition does not take the update record', {
          hint: 'it may be full: see df /var',
        });
      }
      await sync(UPDATE_STATE);
    },

    ...efiVariables(system, run),
    reached: (label) => powerCut(system, label),
  };
}

async function withFile<T>(
  system: System,
  path: string,
  access: 'read' | 'write',
  body: (fd: number) => Promise<T>,
): Promise<T> {
  const fd = system.open(path, { access, noFollow: path === RECORD });
  if (fd < 0) throw new SlipwayError('switch.open', `${path} cannot be opened (${-fd})`);
  try {
    return await body(fd);
  } finally {
    system.close(fd);
  }
}

function read(system: System, fd: number, maxBytes: number): Promise<Uint8Array> {
  const bytes = system.readAt(fd, 0, maxBytes);
  if (bytes === 'failed') throw new SlipwayError('switch.read', 'the disk cannot be read');
  return Promise.resolve(bytes);
}

function write(system: System, fd: number, offset: number, bytes: Uint8Array): Promise<void> {
  if (!system.writeAt(fd, offset, bytes))
    throw new SlipwayError('switch.write', 'the disk cannot be written');
  return Promise.resolve();
}
