/** What slipd must know of a service beside its bundle. */
import type { HealthCheck, MachineService, PreparedDirectory } from '../../spec/machine.ts';
import type { ServiceDefinition } from '../../spec/service.ts';
import { STATE, VOLUMES, stateSource } from './mounts.ts';
import type { RootView } from './root-view.ts';

export function machineService(
  service: ServiceDefinition,
  root: RootView,
  healthCheck: HealthCheck | undefined,
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
    directories: preparedDirectories(service, root),
    writable: !service.readOnly,
  };
}

/** Binds that ask for it, named volumes (owner and mode as the root has them at that place, as Docker does), state directories. */
function preparedDirectories(service: ServiceDefinition, root: RootView): readonly PreparedDirectory[] {
  const directories = new Map<string, PreparedDirectory>();
  const add = (directory: PreparedDirectory): void => void directories.set(directory.path, directory);
  for (const volume of service.volumes) {
    if (volume.kind === 'bind' && volume.createHostPath) {
      add({ path: volume.source, uid: 0, gid: 0, mode: 0o755 });
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
