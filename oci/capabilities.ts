/** Docker's capability rules: a default set of 14, `cap_add`, `cap_drop`, `ALL`, `privileged`. */
import { SlipwayError } from '../spec/error.ts';
import { CAPABILITIES } from '../spec/names.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import type { OciCapabilities } from './runtime-spec.ts';

/** Linux 6.12's capabilities in the kernel's order (linux/capability.h). */
export const ALL_CAPABILITIES: readonly string[] = CAPABILITIES.map((name) => `CAP_${name}`);

/** What Docker gives a container that asks for nothing. */
export const DEFAULT_CAPABILITIES: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE'],
  ...['NET_RAW', 'SYS_CHROOT', 'MKNOD', 'AUDIT_WRITE', 'SETFCAP'],
].map((name) => `CAP_${name}`);

/**
 * The five sets of a service's first process. A process that is not root keeps (as with Podman) exactly what `cap_add` names, through the
 * ambient set; Docker would silently give it nothing, and an option that is parsed is enforced.
 */
export function ociCapabilities(service: ServiceDefinition, uid: number): OciCapabilities {
  const bounding = boundingCapabilities(service);
  if (uid === 0) {
    return { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] };
  }
  const named = service.capAdd.map(normalise);
  const kept = named.includes('ALL') ? bounding : bounding.filter((name) => named.includes(name));
  return { bounding, effective: kept, permitted: kept, inheritable: kept, ambient: kept };
}

/** The order is the kernel's, whatever order the file had: the same set gives the same bytes. */
export function boundingCapabilities(
  service: Pick<ServiceDefinition, 'name' | 'capAdd' | 'capDrop' | 'privileged'>,
): readonly string[] {
  const add = service.capAdd.map(normalise);
  const drop = service.capDrop.map(normalise);
  for (const name of [...add, ...drop]) {
    if (name !== 'ALL' && !ALL_CAPABILITIES.includes(name)) throw unknownCapability(service.name, name);
  }
  if (service.privileged) return ALL_CAPABILITIES;
  if (add.includes('ALL')) return ALL_CAPABILITIES.filter((name) => !drop.includes(name));
  const base = drop.includes('ALL') ? [] : DEFAULT_CAPABILITIES.filter((name) => !drop.includes(name));
  return ALL_CAPABILITIES.filter((name) => base.includes(name) || add.includes(name));
}

function normalise(name: string): string {
  const upper = name.toUpperCase();
  return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
}

function unknownCapability(service: string, name: string): SlipwayError {
  return new SlipwayError('bundle.capability', `service ${service}: there is no capability ${name}`, {
    hint: 'capabilities(7) lists them; write NET_ADMIN or CAP_NET_ADMIN',
  });
}
