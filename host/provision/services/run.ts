/** Asks the program for services (main.ts), which brings what is large: only a configuration with services loads it, and has a process for it. */
import { SlipwayError } from '../../../spec/error.ts';
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { ServiceEntry } from '../config.ts';
import { QJS } from '../paths.ts';
import { packEntries } from './pack.ts';
import type { ServicesRequest, ServicesResult } from './request.ts';

export const SERVICES_PROGRAM = '/usr/lib/slipway/services.js';

const MAX_RESULT_BYTES = 4 * 1024 * 1024;

/** Of the machine alone. Throws SlipwayError `services.program` when the program fails as a whole. */
export async function runServices(
  system: System,
  entries: readonly ServiceEntry[],
  request: Omit<ServicesRequest, 'format' | 'entries'>,
): Promise<ServicesResult> {
  const path = `${PROVISIONING_PATHS.runtime}/services-request.${system.pid}`;
  const whole: ServicesRequest = { format: '1.0', ...request, entries: packEntries(entries) };
  system.makeDirectory(PROVISIONING_PATHS.runtime, 0o700);
  // It may hold secrets: variables, lines of the document.
  system.writeText(path, JSON.stringify(whole), 0o600);
  try {
    const argv = [...QJS, SERVICES_PROGRAM, path];
    const { code, stdout } = await runProgram(system, argv, { limitBytes: MAX_RESULT_BYTES });
    if (code !== 0) throw new SlipwayError('services.program', `services.js failed (${code})`);
    return JSON.parse(system.decode(stdout)) as ServicesResult;
  } finally {
    system.remove(path);
  }
}
