/**
 * `slip config apply FILE [--try MINUTES]`. The work is done by a process of its own: a change of the network or of the `ssh` service ends the
 * session that asked for it, and nothing may be left half done by that.
 */
import { formatDiagnostic } from '../../../spec/diagnostic.ts';
import { PROVISIONING_PATHS, type ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { configure } from '../configure.ts';
import { withLock } from '../lock.ts';
import { PATHS, QJS } from '../paths.ts';
import { hears } from '../policy.ts';
import { readFound } from '../read.ts';
import type { Found } from '../source/found.ts';
import { makeRuntimeDirectory, readStatus, wakeSlipd } from '../status.ts';
import { forgetTried, readAdopted, readRecord, readTried, storeTried } from '../store/adopted.ts';
import { operatorFound } from './input.ts';
import { fail, print, type OutputFormat } from './output.ts';
import { describeStatus } from './status.ts';
import { readOperator } from './validate.ts';

const PATIENCE_MS = 600_000;
const FILES = { userData: `${PATHS.staged}/user-data`, network: `${PATHS.staged}/network-config` } as const;

export async function applyInput(
  system: System,
  policy: ProvisioningPolicy,
  network: string | undefined,
  minutes: number,
  format: OutputFormat,
): Promise<void> {
  if (!hears(policy, 'operator'))
    return fail(
      system,
      format,
      'config.refused',
      'this image does not hear operators',
      'its definition would by: provisioning: { sources: { operator: [users, ...] } }',
    );
  const found = readOperator(system, policy, network, format);
  const { diagnostics } = await readFound(system, found, 'fetch');
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0) {
    if (format === 'text') for (const error of errors) print(system, formatDiagnostic(error));
    return fail(system, format, 'config.invalid', 'nothing was changed: the configuration has faults');
  }
  stage(system, found, network !== undefined);
  const code = await runApart(system, minutes);
  const status = readStatus(system);
  print(system, format === 'json' ? JSON.stringify(status) : describeStatus(status));
  if (code !== 0 || status.state === 'failed') system.exit(1);
}

/** In the process of its own; returns its exit code. */
export async function applyStaged(
  system: System,
  policy: ProvisioningPolicy,
  minutes: number,
): Promise<number> {
  return withLock(system, PATIENCE_MS, async () => {
    const record = readRecord(system, policy);
    const adopted = record === undefined ? undefined : readAdopted(system, record);
    const found = unstage(system, { record, found: adopted });
    if (found === undefined) return 1;
    // Of several tries in a row, the way back leads to what was there before the first.
    const before = readTried(system)?.before ?? record ?? null;
    if (minutes > 0) {
      const revertsAt = Math.round(system.wallClockMs() / 1000) + minutes * 60;
      await storeTried(system, { format: '1.0', before, revertsAt });
      system.writeText(PATHS.try, `${Math.round(system.uptimeMs() + minutes * 60_000)}\n`, 0o600);
      // slipd counts from now on, whatever becomes of us.
      wakeSlipd(system);
    } else {
      await forgetTried(system);
      system.remove(PATHS.try);
    }
    const status = await configure(
      system,
      policy,
      { found, record, adopted, fault: undefined, again: true },
      'online',
    );
    wakeSlipd(system);
    return status.state === 'failed' ? 1 : 0;
  });
}

function stage(system: System, found: Found, network: boolean): void {
  makeRuntimeDirectory(system);
  system.makeDirectory(PATHS.staged, 0o700);
  write(system, FILES.userData, found.userData ?? new Uint8Array(0));
  if (network) write(system, FILES.network, found.networkConfig ?? new Uint8Array(0));
  else system.remove(FILES.network);
}

function unstage(system: System, adopted: Parameters<typeof operatorFound>[2]): Found | undefined {
  const userData = read(system, FILES.userData);
  const found =
    userData === undefined ? undefined : operatorFound(userData, read(system, FILES.network), adopted);
  for (const path of Object.values(FILES)) system.remove(path);
  return found;
}

/** In a session of its own: whoever ends this process does not end that one. */
function runApart(system: System, minutes: number): Promise<number> {
  const argv = [
    '/usr/bin/busybox',
    'setsid',
    ...QJS,
    PROVISIONING_PATHS.program,
    'apply-staged',
    `${minutes}`,
  ];
  return new Promise((resolve) => {
    const pid = system.spawn(argv, { onExit: resolve });
    if (pid < 0) resolve(127);
  });
}

function write(system: System, path: string, bytes: Uint8Array): void {
  const fd = system.open(path, { access: 'write', create: { mode: 0o600 } });
  const written = fd >= 0 && (bytes.length === 0 || system.writeAt(fd, 0, bytes));
  if (fd >= 0) system.close(fd);
  if (!written) throw new Error(`cannot write ${path}`);
}

function read(system: System, path: string): Uint8Array | undefined {
  const fd = system.open(path, { access: 'read' });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, system.descriptorStatus(fd)?.sizeBytes ?? 0);
  system.close(fd);
  return bytes === 'failed' ? undefined : bytes;
}
