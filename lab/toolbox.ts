/** QEMU, firmware and their helpers: the same ones for every user and test, whatever the workstation has installed. */
import { openLab, type Toolbox } from '../builder/tools/toolbox.ts';
import type { Architecture } from '../spec/image.ts';

export type { Toolbox };

/** For machines of an architecture; as in image definitions, amd64 unless told. */
export function labToolbox(machine: Architecture = 'amd64'): Promise<Toolbox> {
  const known = opened.get(machine);
  if (known !== undefined) return known;
  const toolbox = openLab(machine).catch((error: unknown) => {
    opened.delete(machine);
    throw error;
  });
  opened.set(machine, toolbox);
  return toolbox;
}

const opened = new Map<Architecture, Promise<Toolbox>>();
