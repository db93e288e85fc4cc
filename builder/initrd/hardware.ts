/** Which module serves which device, as a function of the initrd's shell: modprobe and its indexes would cost more than all of it. */
import { SlipwayError } from '../../spec/error.ts';
import { MODULE_OPTIONS, SCSI_DISK } from './module-choice.ts';
import { moduleName } from './modinfo.ts';
import { closure, type ModuleSet } from './modules.ts';

/** Buses whose devices /init asks for their names. */
const BUSES = /^(?:pci|virtio|vmbus|xen|platform|usb|mmc):/;

/**
 * `name MODALIAS` sets `$found` to the modules that serve it, in load order: paths below the release's directory, an option behind a
 * comma. The patterns of `modules.alias` are the patterns of the shell's `case`.
 */
export function hardwareFunction(name: string, candidates: readonly string[], set: ModuleSet): string {
  const known = new Map(set.modules.map((module) => [module.name, module]));
  const branches = candidates.flatMap((candidate) => {
    const module = known.get(moduleName(candidate));
    const patterns = module?.aliases.filter((alias) => BUSES.test(alias)).map(pattern) ?? [];
    if (patterns.length === 0) return [];
    return [`${patterns.join('|')}) found='${load(set, moduleName(candidate)).join(' ')}' ;;`];
  });
  return [`${name}() {`, 'case $1 in', ...branches, 'esac', '}', ''].join('\n');
}

function load(set: ModuleSet, name: string): string[] {
  const directory = `/usr/lib/modules/${set.release}/`;
  const needed = closure(set, [name]);
  const isScsi = needed.some((module) => module.name === 'scsi_mod');
  const all = isScsi ? closure(set, [name, SCSI_DISK]) : needed;
  return all.map((module) => {
    const path = module.path.slice(directory.length);
    const option = MODULE_OPTIONS[module.name];
    return option === undefined ? path : `${path},${option}`;
  });
}

function pattern(alias: string): string {
  if (/^[\w:*?.,+[\]-]+$/.test(alias)) return alias;
  throw new SlipwayError('kernel.alias', `a module's alias is no shell pattern: ${alias}`);
}
