/** QEMU, firmware and their helpers: the same ones for every user and test, whatever the workstation has installed. */
import { openToolbox, type Toolbox } from '../builder/tools/toolbox.ts';

export type { Toolbox };

export function labToolbox(): Promise<Toolbox> {
  opened ??= openToolbox('lab').catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

let opened: Promise<Toolbox> | undefined;
