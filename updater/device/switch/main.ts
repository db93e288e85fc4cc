/**
 * `qjs -m switch.js COMMAND`: what slipd starts to try, keep or give up a version. A program of its own, small, and without a line of what fetches and
 * verifies updates: the way back from a broken updater must not lead through it (failure 42).
 *
 * `boot`: reconciles. `confirm`: commits the trial. `fail REASON`, with the last lines of a log on standard input: exit 0 to restart, 3 to stay.
 * `network`: exit 0 when all works that worked before the restart; else prints what does not.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { createQuickJsSystem } from '../../../system/quickjs.ts';
import type { System } from '../../../system/system.ts';
import { missingNetwork } from './network.ts';
import { RECORD_LIMITS } from './record-content.ts';
import {
  confirmTrial,
  failTrial,
  finishUpdate,
  guardBoot,
  readRecord,
  reconcile,
  retryTrial,
} from './switch.ts';

const STAY = 3;

async function main(system: System): Promise<number> {
  const [command, reason = 'no reason was given'] = system.arguments;
  switch (command) {
    case 'boot':
      await reconcile(system);
      for (const { what, why } of await finishUpdate(system)) system.log(`${what}: ${why}`);
      await guardBoot(system);
      return 0;
    case 'confirm':
      await confirmTrial(system);
      return 0;
    case 'fail': {
      const outcome = await failTrial(system, reason, readLines(system));
      if (outcome.action === 'restart') return 0;
      system.log(outcome.why);
      return STAY;
    }
    case 'retry':
      await retryTrial(system);
      return 0;
    case 'network': {
      const { trial } = await readRecord(system);
      const missing = trial === null ? [] : await missingNetwork(system, trial.network);
      for (const { interface: name, what } of missing) system.log(`${name} ${what}`);
      return missing.length === 0 ? 0 : 1;
    }
    case undefined:
    default:
      system.log('usage: boot | confirm | fail REASON | retry | network');
      return 2;
  }
}

function readLines(system: System): readonly string[] {
  const bytes = system.read(0, RECORD_LIMITS.logLines * RECORD_LIMITS.logLine * 4);
  if (!(bytes instanceof Uint8Array)) return [];
  return system
    .decode(bytes)
    .split('\n')
    .filter((line) => line !== '');
}

const system = createQuickJsSystem();
main(system).then(
  (code) => system.exit(code),
  (error: unknown) => {
    system.log(error instanceof SlipwayError ? `${error.code}: ${error.message}` : String(error));
    system.exit(1);
  },
);
