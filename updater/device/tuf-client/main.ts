/**
 * The machine's TUF client as a program, run by Node and by QuickJS alike, with the command line that the tuf-conformance project asks of a
 * client under test (its CLIENT-CLI.md). Exit code 0 or 1.
 */
import type { System } from '../../../system/system.ts';
import { curlTransfer } from './fetch.ts';
import { runClient } from './run.ts';

const system = await systemOfThis();
system.exit(await runClient(system, system.arguments, curlTransfer(system)));

/** Each has modules that the other lacks: only one half is ever loaded. */
async function systemOfThis(): Promise<System> {
  if ('scriptArgs' in globalThis) return (await import('../../../system/quickjs.ts')).createQuickJsSystem();
  return (await import('../../../system/node.ts')).createNodeSystem();
}
