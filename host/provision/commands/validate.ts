/** `slip config validate FILE`: says everything that is wrong with it, and what would be refused. Applies nothing. */
import { formatDiagnostic, type Diagnostic } from '../../../spec/diagnostic.ts';
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { planFound } from '../carry-out.ts';
import { readFound } from '../read.ts';
import { serviceFaults } from '../services.ts';
import { readAdopted, readRecord } from '../store/adopted.ts';
import { fromHex, operatorFound, readInput } from './input.ts';
import { fail, print, type OutputFormat } from './output.ts';
import type { Found } from '../source/found.ts';

export async function validate(
  system: System,
  policy: ProvisioningPolicy,
  network: string | undefined,
  format: OutputFormat,
): Promise<void> {
  const found = readOperator(system, policy, network, format);
  const reading = await readFound(system, found, 'fetch');
  const { verdicts } = await planFound(system, policy, found, reading);
  const refusals = verdicts.filter(({ state }) => state === 'refused' || state === 'failed');
  const diagnostics = [...reading.diagnostics, ...(await serviceFaults(system, policy, found, reading))];
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (format === 'json') print(system, JSON.stringify({ diagnostics: diagnostics.map(plain), verdicts }));
  else {
    // The caller wrote it: source lines are shown.
    for (const diagnostic of diagnostics) print(system, formatDiagnostic(diagnostic));
    for (const { key, at, state, reason } of refusals)
      print(system, `${at.part}:${at.line}: ${key}: ${state}: ${reason ?? ''}`);
    if (errors.length + refusals.length === 0) print(system, 'the configuration is well');
  }
  if (errors.length + refusals.length > 0) system.exit(1);
}

/** What the operator gives, as the source that he is. */
export function readOperator(
  system: System,
  policy: ProvisioningPolicy,
  network: string | undefined,
  format: OutputFormat,
): Found {
  const bytes = readInput(system);
  if (bytes === undefined)
    return fail(system, format, 'config.too-large', 'the document is larger than 1 MiB');
  const record = readRecord(system, policy);
  const adopted = record === undefined ? undefined : readAdopted(system, record);
  return operatorFound(bytes, network === undefined ? undefined : fromHex(network), {
    record,
    found: adopted,
  });
}

function plain({ sourceLine: _, ...diagnostic }: Diagnostic): Omit<Diagnostic, 'sourceLine'> {
  return diagnostic;
}
