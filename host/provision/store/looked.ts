/** That this machine has looked at all of its disks once, and nobody there had anything to say. */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { removeDurable, writeDurable } from './durable.ts';

const NAME = 'looked';

export async function rememberLooked(system: System): Promise<void> {
  await writeDurable(system, PROVISIONING_PATHS.state, [{ name: NAME, bytes: new Uint8Array(0) }]);
}

export async function forgetLooked(system: System): Promise<void> {
  await removeDurable(system, PROVISIONING_PATHS.state, [NAME]);
}
