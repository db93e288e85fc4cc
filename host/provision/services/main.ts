/** The program services.js: a ServicesRequest in the file that it is given, a ServicesResult on standard output. Exit code 1: neither made sense. */
import { MACHINE_PATHS, type MachineDescription } from '../../../spec/machine.ts';
import { createQuickJsSystem } from '../../../system/quickjs.ts';
import { handleServices } from './prepare.ts';
import type { ServicesRequest } from './request.ts';

const system = createQuickJsSystem();

async function main(): Promise<void> {
  const [path = ''] = system.arguments;
  const request = JSON.parse(system.readText(path) ?? '') as ServicesRequest;
  const machine = JSON.parse(system.readText(MACHINE_PATHS.description) ?? '') as MachineDescription;
  const result = system.encode(`${JSON.stringify(await handleServices(system, request, machine))}\n`);
  for (let done = 0; done < result.length;) {
    const count = system.write(1, result.subarray(done));
    if (typeof count !== 'number') break;
    done += count;
  }
}

main().then(
  () => system.exit(0),
  (error: unknown) => {
    system.log(`services: ${String(error)}`);
    system.exit(1);
  },
);
