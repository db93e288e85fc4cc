/**
 * Mutations that a power cut of one machine's own life hardly punishes: what they guard against has to be there first (others' files, second names that
 * an earlier cut left). Each has a situation of its own.
 */
import { writeFileSync } from 'node:fs';
import { commitSlot } from '../../../updater/device/switch/commit-slot.ts';
import { confirm } from '../../../updater/device/switch/confirm.ts';
import { installUki } from '../../../updater/device/switch/install-uki.ts';
import { prepareSlot } from '../../../updater/device/switch/prepare.ts';
import { reconcile } from '../../../updater/device/switch/reconcile.ts';
import { switchTo } from '../../../updater/device/switch/switch-to.ts';
import {
  machineOn,
  manifestOf,
  runningVersion,
  ukiOf,
  type MemoryDisk,
} from '../device/switch/memory-disk.ts';
import { explore, type Life } from './explore.ts';
import { Violation } from './firmware.ts';
import { LIVES } from './lives.ts';
import { PROTOCOL, type Protocol } from './machine.ts';

const NEXT = manifestOf('1.1.0');
const RUNNING = runningVersion('1.0.0');

type Situation = (protocol: Protocol) => Promise<string | undefined>;

/** What is wrong in the end; `undefined`: nothing. */
export const DIRECTED: ReadonlyMap<string, Situation> = new Map<string, Situation>([
  [
    'without install.clean',
    async (protocol) => {
      const disk = await prepared();
      // A second name of the UKI that runs, of a rename that was cut: to write to it would be to write over that.
      disk.files.set('EFI/SLIPWAY/UKI.NEW', disk.files.get('EFI/Linux/minimal_1.0.0.efi')!);
      disk.calls.length = 0;
      await install(disk, protocol);
      const written = disk.calls.indexOf('write EFI/SLIPWAY/UKI.NEW');
      const moved = disk.calls.findIndex((call) => call.startsWith('rename EFI/SLIPWAY/UKI.NEW '));
      return moved >= 0 && moved < written
        ? undefined
        : 'what shares its clusters with the running UKI is written to';
    },
  ],
  [
    'without switch.clean',
    async (protocol) => {
      const disk = await prepared();
      await install(disk, PROTOCOL);
      // Somebody else's, since the preparation: a boot loader would take it for a third version.
      disk.files.set('EFI/Linux/minimal_1.0.5.efi', Buffer.from(ukiOf('1.0.5')));
      await switchTo(disk, RUNNING, NEXT, { interfaces: [] }, 1, protocol.switch);
      return disk.names().includes('minimal_1.0.5.efi')
        ? 'a third version is on the menu of a trial'
        : undefined;
    },
  ],
  [
    'without confirm.remove-twins',
    async (protocol) => {
      const disk = await prepared();
      await install(disk, PROTOCOL);
      await switchTo(disk, RUNNING, NEXT, { interfaces: [] }, 1);
      started(disk);
      // Left by a cut in the boot loader's own rename.
      disk.files.set('EFI/Linux/minimal_1.1.0+1-2.efi', Buffer.from('another content'));
      await confirm(disk, runningVersion('1.1.0', 'b', true), 1, protocol.confirm);
      const own = disk.names().filter((name) => name.startsWith('minimal_1.1.0'));
      return own.join() === 'minimal_1.1.0.efi'
        ? undefined
        : `a committed version is counted: ${own.join(', ')}`;
    },
  ],
  [
    'without reconcile.remove-leftovers',
    async (protocol) => {
      const disk = machineOn('1.0.0', '0.9.0');
      disk.files.set('EFI/Linux/minimal_1.0.0+2-1.efi', Buffer.from('another content'));
      disk.files.set('EFI/Linux/FSCK0000.REC', Buffer.from('lost and found'));
      const facts = { running: RUNNING, nowSeconds: 1, fallbackFrom: undefined };
      await reconcile(disk, facts, protocol.reconcile);
      const names = disk.names().join();
      return names === 'minimal_0.9.0.efi,minimal_1.0.0.efi' ? undefined : `what was left stays: ${names}`;
    },
  ],
  ['fail.rename before fail.sync-name', crowded(LIVES.unhealthy)],
  ['retry.rename before retry.sync-name', crowded(LIVES.retry)],
]);

/** In a directory where the new name's records lie in two sectors, a torn one is a short name without a counter. */
function crowded(life: Life): Situation {
  const file = `EFI/Linux/${'x'.repeat(59)}.d/file.txt`;
  const start = { ...life.start, files: { [file]: new Uint8Array(1) } };
  return async (protocol) => {
    try {
      await explore({ ...life, start }, protocol, { seed: 5, landings: 40, recoverEvery: Infinity });
      return undefined;
    } catch (error) {
      if (error instanceof Violation) return error.message;
      throw error;
    }
  };
}

/** Up to where the new UKI is brought. */
async function prepared(): Promise<MemoryDisk> {
  const disk = machineOn('1.0.0', '0.9.0');
  await prepareSlot(disk, RUNNING, NEXT, 1);
  await commitSlot(disk, RUNNING, NEXT);
  return disk;
}

function install(disk: MemoryDisk, protocol: Protocol): Promise<void> {
  const produce = (output: string): Promise<void> => {
    writeFileSync(output, ukiOf('1.1.0'));
    return Promise.resolve();
  };
  return installUki(disk, RUNNING, NEXT, produce, protocol.install);
}

/** The boot loader counts a try. */
function started(disk: MemoryDisk): void {
  const bytes = disk.files.get('EFI/Linux/minimal_1.1.0+3.efi');
  if (bytes === undefined) throw new Error('it is not switched to');
  disk.files.delete('EFI/Linux/minimal_1.1.0+3.efi');
  disk.files.set('EFI/Linux/minimal_1.1.0+2-1.efi', bytes);
}
