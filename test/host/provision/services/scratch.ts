/** A place that stands for the machine's /var and image, and services prepared in it through Node. */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packEntries } from '../../../../host/provision/services/pack.ts';
import { handleServices } from '../../../../host/provision/services/prepare.ts';
import type {
  ServicePaths,
  ServicesRequest,
  ServicesResult,
} from '../../../../host/provision/services/request.ts';
import type { MachineDescription } from '../../../../spec/machine.ts';
import type { System } from '../../../../system/system.ts';
import { createNodeSystem } from '../../../../system/node.ts';
import { entries } from './entries.ts';

export const MACHINE: MachineDescription = {
  format: '1.0',
  image: { name: 'test', version: '1.0.0', architecture: 'amd64' },
  shell: false,
  gateSoakMs: 1000,
  users: [],
  services: [
    {
      name: 'ssh',
      type: 'service',
      gate: true,
      dependsOn: [],
      restart: { policy: 'always' },
      stopSignal: 'SIGTERM',
      stopGraceMs: 10_000,
      directories: [],
      writable: false,
    },
  ],
};

export interface Scratch {
  readonly directory: string;
  readonly paths: ServicePaths;
  readonly log: string[];
  /** `door`: instead of Node's own. */
  prepare(yaml: string, changes?: Partial<ServicesRequest>, door?: System): Promise<ServicesResult>;
  readonly system: System;
}

export function scratch(directory = mkdtempSync(join(tmpdir(), 'slipway-services-'))): Scratch {
  const paths = {
    images: join(directory, 'images'),
    bundles: join(directory, 'services'),
    containers: join(directory, 'containers'),
    overlays: join(directory, 'overlay'),
    filters: join(directory, 'filters'),
  };
  mkdirSync(join(paths.containers, 'ssh/rootfs/usr/bin'), { recursive: true });
  writeFileSync(join(paths.containers, 'ssh/rootfs/usr/bin/tool'), '#!', { mode: 0o755 });
  const log: string[] = [];
  const system = createNodeSystem({ log: (line) => void log.push(line) });
  return {
    directory,
    paths,
    log,
    system,
    prepare: (yaml, changes = {}, door = system) =>
      handleServices(door, request(yaml, changes), MACHINE, paths),
  };
}

export function request(yaml: string, changes: Partial<ServicesRequest> = {}): ServicesRequest {
  return {
    format: '1.0',
    kind: 'prepare',
    entries: packEntries(yaml === '' ? [] : entries(yaml)),
    rights: ['services'],
    network: 'yes',
    inUse: [],
    ...changes,
  };
}
