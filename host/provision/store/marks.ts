/** What ran once may run again. */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';

export async function forgetMarks(system: System): Promise<void> {
  await runProgram(system, ['/usr/bin/busybox', 'rm', '-rf', `${PROVISIONING_PATHS.state}/once`]);
}
