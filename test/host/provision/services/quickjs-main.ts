/** The program for services with everything handed in: `qjs x.js FILE` with request, machine and paths. */
import { handleServices } from '../../../../host/provision/services/prepare.ts';
import type { ServicePaths, ServicesRequest } from '../../../../host/provision/services/request.ts';
import type { MachineDescription } from '../../../../spec/machine.ts';
import { createQuickJsSystem } from '../../../../system/quickjs.ts';

const system = createQuickJsSystem();
const input = JSON.parse(system.readText(system.arguments[0] ?? '') ?? '') as {
  request: ServicesRequest;
  machine: MachineDescription;
  paths?: ServicePaths;
};

handleServices(system, input.request, input.machine, input.paths).then(
  (result) => {
    system.write(1, system.encode(JSON.stringify(result)));
    system.exit(0);
  },
  (error: unknown) => {
    system.log(String(error));
    system.exit(1);
  },
);
