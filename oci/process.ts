/** A container's first process: arguments, environment, directory, user, limits. */
import * as posix from '../spec/posix-path.ts';
import { SlipwayError } from '../spec/error.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import { ociCapabilities } from './capabilities.ts';
import type { ImageConfig } from './image-config.ts';
import { containerHostname } from './namespaces.ts';
import { ociRlimits } from './resources.ts';
import type { OciProcess } from './runtime-spec.ts';
import type { ContainerUser } from './user.ts';

/** Docker's, for a container whose image names none. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where `init: true` finds its init inside the container: /dev is a tmpfs there, so the root needs no place for it. */
export const INIT_TARGET = '/dev/init';

export function ociProcess(
  service: ServiceDefinition,
  image: ImageConfig | undefined,
  user: ContainerUser,
): OciProcess {
  const argv = serviceArgv(service, image);
  const environment = containerEnvironment(service, image, user);
  const rlimits = ociRlimits(service);
  return {
    terminal: false,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
    // Where the container sees the machine's processes, tini is not process 1 and must ask for the orphans (-s).
    args: service.init ? [INIT_TARGET, ...(service.pid === 'host' ? ['-s'] : []), '--', ...argv] : argv,
    env: Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    cwd: workingDirectory(service, image),
    capabilities: ociCapabilities(service, user.uid),
    ...(rlimits.length === 0 ? {} : { rlimits }),
    noNewPrivileges: service.securityOpt.noNewPrivileges,
    ...(service.oomScoreAdj === undefined ? {} : { oomScoreAdj: service.oomScoreAdj }),
  };
}

/**
 * Docker's rule: `entrypoint` then `command`, each from the service or else the image; an `entrypoint` of the service's own drops the
 * image's command.
 */
export function serviceArgv(service: ServiceDefinition, image: ImageConfig | undefined): readonly string[] {
  const entrypoint = service.entrypoint ?? image?.entrypoint ?? [];
  const imageCommand = service.entrypoint === undefined ? (image?.command ?? []) : [];
  const argv = [...entrypoint, ...(service.command ?? imageCommand)];
  if (argv.length === 0 || argv[0] === '') {
    throw new SlipwayError('bundle.command', `service ${service.name}: nothing to run`, {
      hint:
        service.root.kind === 'image' && service.entrypoint !== undefined
          ? "`entrypoint` drops the image's own command: give `command` too"
          : 'give `command` or `entrypoint`',
    });
  }
  return argv;
}

export function workingDirectory(service: ServiceDefinition, image: ImageConfig | undefined): string {
  return posix.resolve('/', service.workingDir ?? image?.workingDir ?? '/');
}

/** PATH, then the image's, then the service's; HOSTNAME and HOME where nobody says otherwise. Sorted: order has no meaning here. */
export function containerEnvironment(
  service: ServiceDefinition,
  image: ImageConfig | undefined,
  user: ContainerUser,
): Readonly<Record<string, string>> {
  const hostname = containerHostname(service);
  const merged = {
    PATH: DEFAULT_PATH,
    HOME: user.home,
    ...(hostname === undefined ? {} : { HOSTNAME: hostname }),
    ...image?.environment,
    ...service.environment,
  };
  return Object.fromEntries(Object.entries(merged).sort(([a], [b]) => (a < b ? -1 : 1)));
}
