/** What slipd must know of a service beside its bundle. */
import type { HealthCheck, MachineService, PreparedDirectory } from '../spec/machine.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import { STATE, VOLUMES, stateSource } from './mounts.ts';
import { bindPoint, type HostPathType } from './root-entries.ts';
import type { RootView } from './root-view.ts';

export function machineService(
  service: ServiceDefinition,
  root: RootView,
  healthCheck: HealthCheck | undefined,
  hostPathType: HostPathType = () => undefined,
): MachineService {
  return {
    name: service.name,
    type: service.type,
    gate: service.gate,
    dependsOn: service.dependsOn,
    restart: service.restart,
    stopSignal: service.stopSignal,
    stopGraceMs: service.stopGraceMs,
    ...(healthCheck === undefined ? {} : { healthCheck }),
    directories: preparedDirectories(service, root, hostPathType),
    writable: !service.readOnly,
  };
}

/** Places that the machine itself makes and keeps. */
const MACHINE_OWNED = /^\/(dev|proc|sys|tmp|run\/(etc|slip|slipway|crun))(\/|$)/;

/** Binds that ask for it, named volumes (owner and mode as the root has them at that place, as Docker does), state directories. */
function preparedDirectories(
  service: ServiceDefinition,
  root: RootView,
  hostPathType: HostPathType,
): readonly PreparedDirectory[] {
  const directories = new Map<string, PreparedDirectory>();
  const add = (directory: PreparedDirectory): void => void directories.set(directory.path, directory);
  for (const volume of service.volumes) {
    if (volume.kind === 'bind' && volume.createHostPath) {
      const { source } = volume;
      const exists = MACHINE_OWNED.test(source) || hostPathType(source) !== undefined;
      if (!exists && bindPoint(source, hostPathType) === 'directory') {
        add({ path: source, uid: 0, gid: 0, mode: 0o755, keep: true });
      }
    }
    if (volume.kind === 'volume') {
      const place = root.resolve(volume.target);
      add({
        path: `${VOLUMES}/${volume.name}`,
        uid: place?.uid ?? 0,
        gid: place?.gid ?? 0,
        mode: place?.mode ?? 0o755,
      });
    }
  }
  if (service.state.length > 0) {
    add({ path: `${STATE}/${service.name}`, uid: 0, gid: 0, mode: 0o755 });
  }
  for (const { path, uid, gid, mode } of service.state) {
    add({ path: stateSource(service.name, path), uid, gid, mode });
  }
  return [...directories.values()];
}
