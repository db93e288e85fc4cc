/** `find.js ROOT JSON` on the machine's interpreter: finds the source of a machine whose files are below ROOT, and prints it. */
import { SlipwayError } from '../../../../../spec/error.ts';
import type { ProvisioningPolicy } from '../../../../../spec/provisioning.ts';
import { createQuickJsSystem } from '../../../../../system/quickjs.ts';
import type { System } from '../../../../../system/system.ts';
import { reportReady } from '../../../../../host/provision/source/azure-report.ts';
import { findOffline } from '../../../../../host/provision/source/find-offline.ts';
import { findOnline, needsNetwork } from '../../../../../host/provision/source/find-online.ts';
import type { HttpProgram } from '../../../../../host/provision/source/http/exchange.ts';

interface Task {
  readonly what: 'offline' | 'online' | 'report' | 'needs-network';
  readonly policy: ProvisioningPolicy;
  readonly budgetMs: number;
  readonly program: HttpProgram;
}

const real = createQuickJsSystem();
const [root = '', text = '{}'] = real.arguments;
const task = JSON.parse(text) as Task;
const at = (path: string): string => (path.startsWith('/proc/self/') ? path : root + path);
const system: System = {
  ...real,
  readText: (path) => real.readText(at(path)),
  status: (path) => real.status(at(path)),
  linkStatus: (path) => real.linkStatus(at(path)),
  readLink: (path) => real.readLink(at(path)),
  list: (path) => real.list(at(path)),
  makeDirectory: (path, mode) => real.makeDirectory(at(path), mode),
  remove: (path) => real.remove(at(path)),
  open: (path, options) => real.open(at(path), options),
};

async function main(): Promise<void> {
  const startMs = system.uptimeMs();
  const budget = { endsAtMs: startMs + task.budgetMs };
  let result: unknown;
  try {
    if (task.what === 'offline') result = await findOffline(system, task.policy);
    else if (task.what === 'online') result = await findOnline(system, task.policy, budget, task.program);
    else if (task.what === 'needs-network') result = await needsNetwork(system, task.policy);
    else result = await reportReady(system, budget, task.program).then(() => 'reported');
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    result = { fault: error.code, message: error.message };
  }
  const output = { result: result ?? null, tookMs: system.uptimeMs() - startMs };
  real.write(
    1,
    real.encode(
      JSON.stringify(output, (_key, value: unknown) =>
        value instanceof Uint8Array ? real.decode(value) : value,
      ),
    ),
  );
}

main().then(
  () => real.exit(0),
  (error: unknown) => {
    real.log(error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error));
    real.exit(1);
  },
);
