/** From a service to its OCI runtime bundle: everything that Docker would decide at start is decided here, at build time. */
import { MACHINE_PATHS, type MachineService } from '../../spec/machine.ts';
import type { Architecture } from '../../spec/image.ts';
import type { ServiceDefinition } from '../../spec/service.ts';
import { containerDevices } from './devices.ts';
import { machineHealthCheck } from './healthcheck.ts';
import type { ImageConfig } from './image-config.ts';
import { INIT_SOURCE } from './init.ts';
import { machineService } from './machine-service.ts';
import { MASKED_PATHS, READONLY_PATHS, ociMounts, rootfsPropagation } from './mounts.ts';
import { containerHostname, ociNamespaces, ociSysctls } from './namespaces.ts';
import { INIT_TARGET, containerEnvironment, ociProcess, serviceArgv, workingDirectory } from './process.ts';
import { requireProgram } from './program.ts';
import { ociResources } from './resources.ts';
import { rootAdditions, type HostPathType, type RootAddition } from './root-entries.ts';
import type { RootView } from './root-view.ts';
import type { OciConfig } from './runtime-spec.ts';
import type { SeccompProfile } from './seccomp/profile.ts';
import { resolveSeccomp } from './seccomp/resolve.ts';
import { containerUser } from './user.ts';

export interface BundleContext {
  readonly architecture: Architecture;
  /** The container's root file system, the service's own files included. */
  readonly root: RootView;
  /** Where the root is an OCI image. */
  readonly image?: ImageConfig;
  /** The profile that `security_opt: seccomp:<file>` names, already read (seccomp/profile.ts). */
  readonly seccompProfile?: SeccompProfile;
  readonly hostPathType?: HostPathType;
}

export interface Bundle {
  /** `/usr/lib/slipway/containers/<name>/config.json`. */
  readonly config: OciConfig;
  readonly machine: MachineService;
  /** What the builder adds to `/usr/lib/slipway/containers/<name>/rootfs`: mount points, links of /etc. */
  readonly rootAdditions: readonly RootAddition[];
}

/** OCI runtime specification release whose config.json we write; crun 1.21 reads it. */
const OCI_VERSION = '1.2.0';

/** Pure. Throws SlipwayError `bundle.*` for what can only be known with the root file system at hand. */
export function makeBundle(service: ServiceDefinition, context: BundleContext): Bundle {
  const { root, image } = context;
  const user = containerUser(service.name, service.user ?? image?.user, service.groupAdd, {
    passwd: root.text('/etc/passwd'),
    group: root.text('/etc/group'),
  });
  const mounts = ociMounts(service, service.init ? [initMount()] : []);
  const devices = containerDevices(service);
  const sysctl = ociSysctls(service);
  const seccomp = resolveSeccomp(service, context.architecture, context.seccompProfile);
  const hostname = containerHostname(service);
  const propagation = rootfsPropagation(mounts);

  const search = {
    service: service.name,
    root,
    mounts,
    path: containerEnvironment(service, image, user)['PATH'] ?? '',
    cwd: workingDirectory(service, image),
  };
  requireProgram(serviceArgv(service, image)[0] ?? '', { ...search, key: 'command' });
  const healthCheck = machineHealthCheck(service.healthCheck, search);

  const config: OciConfig = {
    ociVersion: OCI_VERSION,
    process: ociProcess(service, image, user),
    root: { path: rootPath(service), readonly: service.readOnly },
    ...(hostname === undefined ? {} : { hostname }),
    mounts,
    ...annotations(service, image),
    linux: {
      cgroupsPath: `/slipway/${service.name}`,
      namespaces: ociNamespaces(service),
      resources: ociResources(service, devices.rules),
      ...(devices.nodes.length === 0 ? {} : { devices: devices.nodes }),
      ...(propagation === undefined ? {} : { rootfsPropagation: propagation }),
      ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
      ...(service.privileged ? {} : { maskedPaths: MASKED_PATHS, readonlyPaths: READONLY_PATHS }),
      ...(seccomp === undefined ? {} : { seccomp }),
    },
  };
  return {
    config,
    machine: machineService(service, root, healthCheck),
    rootAdditions: rootAdditions(service, mounts, root, context.hostPathType),
  };
}

/** Where crun finds the root: beside config.json, or, writable, where the monitor has mounted the overlay (spec/machine.ts). */
function rootPath(service: ServiceDefinition): string {
  return service.readOnly ? 'rootfs' : `${MACHINE_PATHS.overlays}/${service.name}/rootfs`;
}

function initMount(): OciConfig['mounts'][number] {
  return {
    destination: INIT_TARGET,
    type: 'bind',
    source: INIT_SOURCE,
    options: ['bind', 'rprivate', 'ro', 'nosuid', 'nodev'],
  };
}

function annotations(
  service: ServiceDefinition,
  image: ImageConfig | undefined,
): Pick<OciConfig, 'annotations'> {
  const labels = Object.entries({ ...image?.labels, ...service.labels }).sort(([a], [b]) => (a < b ? -1 : 1));
  // crun acts upon annotations of its own name: none may come from outside.
  const harmless = labels.filter(([name]) => !name.startsWith('run.oci.'));
  return harmless.length === 0 ? {} : { annotations: Object.fromEntries(harmless) };
}
