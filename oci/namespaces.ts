/** Namespaces, host name, sysctls: what of the kernel's names a container has for itself. */
import { SlipwayError } from '../spec/error.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import type { OciNamespaceType } from './runtime-spec.ts';

/**
 * The namespaces that crun makes. With the host's network and no `hostname`, the host name is the machine's own, live (Docker copies it
 * at start, but ours may only be known later, from DHCP).
 */
export function ociNamespaces(service: ServiceDefinition): readonly { readonly type: OciNamespaceType }[] {
  const types: OciNamespaceType[] = ['mount', 'cgroup'];
  if (service.pid === 'private') types.push('pid');
  if (service.ipc === 'private') types.push('ipc');
  if (service.networkMode === 'none') types.push('network');
  if (containerHostname(service) !== undefined) types.push('uts');
  return types.map((type) => ({ type }));
}

/** `undefined`: that of the machine. */
export function containerHostname(service: ServiceDefinition): string | undefined {
  return service.hostname ?? (service.networkMode === 'none' ? service.name : undefined);
}

const IPC_SYSCTLS: readonly RegExp[] = [
  /^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced|msg_next_id|sem_next_id|shm_next_id)$/,
  /^fs\.mqueue\./,
];

/** Only sysctls that a namespace of the container holds: any other would change the machine (or fail at start). */
export function ociSysctls(service: ServiceDefinition): Readonly<Record<string, string>> {
  const entries = Object.entries(service.sysctls).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name] of entries) {
    if (IPC_SYSCTLS.some((pattern) => pattern.test(name))) {
      if (service.ipc === 'host') throw sharedSysctl(service.name, name, 'ipc: host');
    } else if (name.startsWith('net.')) {
      if (service.networkMode === 'host') throw sharedSysctl(service.name, name, 'network_mode: host');
    } else {
      throw new SlipwayError(
        'bundle.sysctl',
        `service ${service.name}: sysctl ${name} is not a container's own`,
        {
          hint: 'a container may set net.*, fs.mqueue.* and kernel.msg*, kernel.shm*, kernel.sem',
        },
      );
    }
  }
  return Object.fromEntries(entries);
}

function sharedSysctl(service: string, name: string, key: string): SlipwayError {
  return new SlipwayError(
    'bundle.sysctl',
    `service ${service}: sysctl ${name} would change the whole machine`,
    {
      hint: `the service shares that namespace with the machine: remove the sysctl, or \`${key}\``,
    },
  );
}
