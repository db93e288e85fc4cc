/**
 * What came of the configuration under a version that was kept. A version on trial is not to blame for what failed before it: it would be given up
 * for ever, and no update would ever reach this machine.
 */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { removeDurable, writeWhole } from './durable.ts';
import { isRecord, readJson } from './record.ts';

export interface Outcome {
  /** Of the configuration; `null`: none could be read. */
  readonly digest: string | null;
  readonly failed: boolean;
  /** Keys that the policy of the image did not allow. */
  readonly refused: readonly string[];
}

const NAME = 'judged.json';
const NONE = 'unreadable';

/**
 * Whether this version is to blame: it did not carry out what the version before did, or refuses what that one allowed. What is remembered of it is to be
 * settled.
 */
export async function isOwnFailure(system: System, outcome: Outcome): Promise<boolean> {
  const { failed } = outcome;
  const digest = outcome.digest ?? NONE;
  const refused = [...new Set(outcome.refused)].sort();
  const known = readOutcome(system);
  const before = known?.digest === digest ? known : undefined;
  if (system.readText('/run/slipway/boot/trial')?.trim() === '1')
    return (
      (failed && before?.failed !== true) ||
      // Only of a configuration that the version before had: what is new may ask for what no version ever allowed.
      (before !== undefined && refused.some((key) => !before.refused.includes(key)))
    );
  const now: Outcome = { digest, failed, refused };
  const { state } = PROVISIONING_PATHS;
  if (digest === NONE && !failed) await removeDurable(system, state, [NAME]).catch(() => undefined);
  else if (JSON.stringify(before) !== JSON.stringify(now))
    try {
      writeWhole(system, state, [{ name: NAME, bytes: system.encode(JSON.stringify(now)) }]);
    } catch {
      // A full disk: the next version is judged as if this one had not been asked.
    }
  return failed;
}

/** From the state partition, so checked. */
function readOutcome(system: System): (Outcome & { readonly digest: string }) | undefined {
  const value = readJson(system, `${PROVISIONING_PATHS.state}/${NAME}`);
  if (!isRecord(value)) return undefined;
  const { digest, failed, refused } = value;
  if (typeof digest !== 'string' || typeof failed !== 'boolean' || !Array.isArray(refused)) return undefined;
  return { digest, failed, refused: refused.filter((key): key is string => typeof key === 'string') };
}
