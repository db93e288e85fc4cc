/** From a service to its OCI runtime bundle: everything that Docker would decide at start is decided here, at build time. */
import { encodeBase64 } from '../spec/base64.ts';
import { MACHINE_PATHS, type MachineService } from '../spec/machine.ts';
import type { Architecture } from '../spec/image.ts';
import { SlipwayError } from '../spec/error.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import { boundingCapabilities } from './capabilities.ts';
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
import type { OciConfig, OciSeccomp } from './runtime-spec.ts';
import type { SeccompProfile } from './seccomp/profile.ts';
import { compileSeccomp } from './seccomp/compile.ts';
import { resolveSeccomp, usesDefaultProfile } from './seccomp/resolve.ts';
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
  /** The default profile for a service's capabilities as it was compiled before, in base64; `undefined` where it was not. */
  readonly defaultFilter?: (capabilities: readonly string[]) => string | undefined;
  /** Where crun finds the root, when it is not where the builder puts it. */
  readonly rootPath?: string;
}

export interface Bundle {
  /** `/usr/lib/slipway/containers/<name>/config.json`. */
  readonly config: OciConfig;
  readonly machine: MachineService;
  /** What the builder adds to `/usr/lib/slipway/containers/<name>/rootfs`: mount points, links of /etc. */
  readonly rootAdditions: readonly RootAddition[];
}

/** What config.json says it is. Nothing in ours is newer; crun knows the releases up to its own alone. */
const OCI_VERSION = '1.0.2';

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
  const { seccomp, filter } = seccompOf(service, context);
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
    root: { path: context.rootPath ?? rootPath(service), readonly: service.readOnly },
    ...(hostname === undefined ? {} : { hostname }),
    mounts,
    ...annotations(service, image, filter),
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
    machine: machineService(service, root, healthCheck, context.hostPathType),
    rootAdditions: rootAdditions(service, mounts, root, context.hostPathType),
  };
}

/** The program for the kernel in base64, or, where only libseccomp can make one, the rules; neither for an unconfined service. */
function seccompOf(
  service: ServiceDefinition,
  { architecture, seccompProfile, defaultFilter }: BundleContext,
): { readonly filter?: string; readonly seccomp?: OciSeccomp } {
  if (usesDefaultProfile(service)) {
    const filter = defaultFilter?.(boundingCapabilities(service));
    if (filter !== undefined) return { filter };
  }
  const seccomp = resolveSeccomp(service, architecture, seccompProfile);
  if (seccomp === undefined) return {};
  const program = compileSeccomp(seccomp, architecture);
  return program === undefined ? { seccomp } : { filter: encodeBase64(program) };
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

/**
 * Labels, and the compiled seccomp filter: with `run.oci.seccomp_bpf_data` crun (1.21) loads the program as it is, for `run` and `exec`, in the place of
 * `linux.seccomp`, which would cost a libseccomp compilation at every first start of a boot.
 */
function annotations(
  service: ServiceDefinition,
  image: ImageConfig | undefined,
  filter: string | undefined,
): Pick<OciConfig, 'annotations'> {
  // crun acts upon annotations under run.oci: an image must not reach it, a service should not believe that it could.
  const reserved = Object.keys(service.labels).find((name) => name.startsWith('run.oci.'));
  if (reserved !== undefined) {
    throw new SlipwayError('bundle.label', `service ${service.name}: the label ${reserved} is crun's own`, {
      hint: 'labels become annotations of the OCI bundle, where run.oci.* steers the runtime',
    });
  }
  const labels = Object.entries({ ...image?.labels, ...service.labels })
    .filter(([name]) => !name.startsWith('run.oci.'))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (filter !== undefined) labels.push(['run.oci.seccomp_bpf_data', filter]);
  return labels.length === 0 ? {} : { annotations: Object.fromEntries(labels) };
}
