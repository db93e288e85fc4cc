/** What of the host's root is there to start and stop the machine: inittab, scripts, accounts, the links of /etc. */
import type { ImageDefinition } from '../../spec/image.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { bootScript } from '../own-files.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';

export { initrdFiles, INITRD_PROGRAMS } from './initrd-files.ts';
export { kernelCommandLine } from './command-line.ts';

const SCRIPTS = `${MACHINE_PATHS.programs}/boot`;

/** Files of /etc that are made anew at each boot, and nothing else of /etc can change: an exhaustive list (decisions.md 18). */
export const GENERATED_ETC: readonly string[] = [
  'group',
  'hostname',
  'hosts',
  // Where a boot configuration has a `timezone`; else there is none, which means UTC.
  'localtime',
  'machine-id',
  'passwd',
  'resolv.conf',
  'shadow',
];

export function bootFiles(image: ImageDefinition): TreeEntry[] {
  const debug = image.profiles.includes('debug');
  return [
    file('/etc/inittab', inittab(image, debug)),
    file('/etc/fstab', bootScript('fstab')),
    file('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n'),
    file('/etc/acpi/PWRF/00000080', bootScript('power-button'), 0o755),
    ...['sysinit', 'background', 'name-cards', 'shutdown', 'state-reset'].map((name) =>
      file(`${SCRIPTS}/${name}`, bootScript(name), 0o755),
    ),
    // slipd adds the image's users, and writes what stands in /run/etc.
    ...['passwd', 'group'].map((name) => file(`/etc/${name}.base`, bootScript(`${name}.base`))),
    ...GENERATED_ETC.map((name): TreeEntry => ({
      path: `/etc/${name}`,
      mode: 0o777,
      uid: 0,
      gid: 0,
      component: 'slipway',
      type: 'symlink',
      target: `${MACHINE_PATHS.generatedEtc}/${name}`,
    })),
  ];
}

function inittab(image: ImageDefinition, debug: boolean): string {
  if (!debug) return bootScript('inittab');
  const console = image.architecture === 'amd64' ? 'ttyS0' : 'ttyAMA0';
  return `${bootScript('inittab')}# Debug image: a root shell on the console.\n${console}::respawn:-/bin/sh\n`;
}

function file(path: string, content: string, mode = 0o644): TreeEntry {
  return textFile(path, content, 'slipway', mode);
}
