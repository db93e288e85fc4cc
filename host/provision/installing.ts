/** `install:` on live media: the installer is started once the configuration is applied, and tells the console how it goes. */
import { MACHINE_PATHS } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { isLive } from '../slipd/live.ts';
import type { InstallSettings } from './config.ts';
import { QJS } from './paths.ts';

const PROGRAM = `${MACHINE_PATHS.programs}/install.js`;
/** Exists once it was started: a configuration may be applied several times. */
const STARTED = `${MACHINE_PATHS.runtime}/provision/installing`;

/** Installs nothing where this machine runs from its own disk: there, `install:` has been done. */
export function startInstallation(system: System, settings: InstallSettings): void {
  if (!isLive(system) || system.status(STARTED) !== undefined) return;
  system.writeText(STARTED, '');
  const disk = settings.disk.value;
  const choice =
    disk.by === 'path'
      ? disk.path
      : disk.by === 'serial'
        ? `serial:${disk.serial}`
        : disk.by === 'size'
          ? `size:${disk.sizeBytes}`
          : disk.by;
  const words = [
    '--unattended',
    settings.then.value,
    ...(settings.overwrite.value === 'wipe' ? ['--overwrite', 'wipe'] : []),
    choice,
  ];
  const console = system.open('/dev/console', { access: 'write' });
  const log = console < 0 ? {} : { stdout: console, stderr: console };
  system.spawn(['/usr/bin/busybox', 'setsid', ...QJS, PROGRAM, ...words], log);
  if (console >= 0) system.close(console);
}
