/** `init: true`: a process 1 inside the container that reaps orphans and passes signals on. */
import type { PackageSelection } from '../spec/image.ts';
import type { ServiceDefinition } from '../spec/service.ts';

/**
 * tini, as Docker's --init: one static file of the machine's root, mounted into the containers that ask for it. Static, since a container
 * need not have a C library. (busybox's init runs an inittab; catatonit is the same size and known by fewer.)
 */
export const INIT_SOURCE = '/usr/bin/tini-static';

export interface HostNeeds {
  /** Packages of the machine's own root. */
  readonly packages: readonly PackageSelection[];
  /** Kernel modules. */
  readonly modules: readonly string[];
}

/** What the services' bundles ask of the machine that not every machine has. */
export function hostNeeds(services: readonly ServiceDefinition[]): HostNeeds {
  return {
    packages: services.some((service) => service.init) ? [{ name: 'tini', files: [INIT_SOURCE] }] : [],
    // Writable roots are an overlay over the read-only one.
    modules: services.some((service) => !service.readOnly) ? ['overlay'] : [],
  };
}
