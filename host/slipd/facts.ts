/** What the machine says of itself: boot, memory, control groups. */
import type { MachineDescription, MachineStatus } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { isLive } from './live.ts';
import { monitorFacts } from './monitor.ts';
import { PATHS } from './paths.ts';
import type { MachineFacts } from './plan/status.ts';
import { provisioningProblem } from './provision.ts';
import { updateAlarms } from './update.ts';

/** For a status: read when one is asked for, never in between. */
export function readFacts(
  system: System,
  description: MachineDescription,
  watchdog: MachineStatus['watchdog'],
): MachineFacts {
  const slot = bootFile(system, 'slot');
  return {
    rootHash: bootFile(system, 'root-hash') ?? '',
    slot: slot === 'a' || slot === 'b' ? slot : 'unknown',
    watchdog,
    notes: [...bootNotes(system), ...updateAlarms(system)],
    memory: memoryOf(system.readText('/proc/meminfo') ?? ''),
    services: Object.fromEntries(
      description.services.map(({ name }) => [
        name,
        { pid: monitorFacts(system, name).pid, memoryBytes: serviceMemory(system, name) },
      ]),
    ),
  };
}

/** What the boot scripts found wrong; such a boot is never a good one. */
export function bootProblems(system: System): readonly string[] {
  const tampered = bootFile(system, 'tampered');
  const disk = bootFile(system, 'disk-problem');
  const state = bootFile(system, 'state-problem');
  const provisioning = provisioningProblem(system);
  return [
    ...(tampered === undefined ? [] : [`tampered: ${tampered || 'the command line is not the signed one'}`]),
    ...(disk === undefined ? [] : [`disk: ${disk || 'the partition table could not be adapted'}`]),
    ...(state === undefined ? [] : [`state: ${state || 'the state partition is not in use'}`]),
    ...(provisioning === undefined ? [] : [`provisioning: ${provisioning}`]),
  ];
}

/** What is worth knowing, but does not make this a bad boot. */
export function bootNotes(system: System): readonly string[] {
  const from = bootFile(system, 'fallback-from');
  return [
    ...(from === undefined
      ? []
      : [`version ${from} could not open its root, and this one was booted instead`]),
    ...(isLive(system) ? ['live: the machine runs from its medium, and keeps nothing'] : []),
  ];
}

/** Whether this version has yet to prove itself: its boot is counted. */
export function isTrial(system: System): boolean {
  return bootFile(system, 'trial') === '1';
}

function bootFile(system: System, name: string): string | undefined {
  return system.readText(`${PATHS.boot}/${name}`)?.trim();
}

function memoryOf(text: string): MachineStatus['memory'] {
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? '0') * 1024;
  return { totalBytes: field('MemTotal'), availableBytes: field('MemAvailable') };
}

/** As `docker stats` counts: without the file cache that can go at once. */
function serviceMemory(system: System, name: string): number | null {
  const current = system.readText(`${PATHS.cgroups}/${name}/memory.current`);
  if (current === undefined) return null;
  const stat = system.readText(`${PATHS.cgroups}/${name}/memory.stat`) ?? '';
  const inactive = Number(/^inactive_file (\d+)$/m.exec(stat)?.[1] ?? '0');
  return Math.max(0, Number(current.trim()) - inactive);
}
