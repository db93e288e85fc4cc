/** A disc in a CD drive, as hypervisors hand provisioning data over: on a controller that the machine needs for nothing else. */
import { rm } from 'node:fs/promises';
import type { Machine } from '../../../lab/machine.ts';
import { makeDisc, type DiscMaker, type Files } from '../../host/provision/source/seed-images.ts';
import { mediumPath } from './provisioned.ts';

const DRIVE = 'disc';

export interface Disc {
  /** For QEMU. */
  readonly arguments: readonly string[];
  /** Another disc in the same drive. */
  readonly change: (machine: Machine, files: Files) => Promise<void>;
  readonly eject: (machine: Machine) => Promise<void>;
}

/** `name`: of its file. */
export async function insertDisc(
  name: string,
  label: string,
  files: Files,
  maker?: DiscMaker,
): Promise<Disc> {
  const make = async (file: string, content: Files): Promise<string> => {
    const path = await mediumPath(file);
    // What an earlier run left there would be on the disc, too.
    await rm(`${path}.files`, { recursive: true, force: true });
    return makeDisc(path, label, content, maker);
  };
  const first = await make(`${name}.iso`, files);
  return {
    arguments: [
      ...['-drive', `if=none,id=${DRIVE},media=cdrom,readonly=on,format=raw,file=${first}`],
      ...['-device', `ide-cd,drive=${DRIVE},bus=ide.4`],
    ],
    change: async (machine, others) => {
      await machine.qmp.execute('blockdev-change-medium', {
        device: DRIVE,
        filename: await make(`${name}-changed.iso`, others),
        format: 'raw',
        force: true,
      });
    },
    eject: async (machine) => void (await machine.qmp.execute('eject', { device: DRIVE, force: true })),
  };
}
