/** Reads the update record's text: every field must be there, of its kind and within its bounds, or there is no record. */
import { isImageVersion } from '../../../spec/version.ts';
import {
  RECORD_LIMITS,
  type Attempt,
  type FailedVersion,
  type NetworkFacts,
  type PendingAction,
  type Signer,
  type Trial,
  type UpdateRecord,
  type VersionId,
} from './record-content.ts';

class NotARecord extends Error {}

type Fields = Readonly<Record<string, unknown>>;

export function parseRecord(text: string): UpdateRecord | undefined {
  try {
    const fields = object(JSON.parse(text));
    // A later minor version may say more; what it adds is ignored.
    if (!/^1\.\d{1,3}$/.test(string(fields['format'], 8))) return undefined;
    return {
      attempt: optional(fields['attempt'], attempt),
      trial: optional(fields['trial'], trial),
      committed: optional(fields['committed'], (value) => ({
        ...signedVersion(value),
        at: whole(object(value)['at']),
      })),
      older: optional(fields['older'], (value) => ({
        ...signedVersion(value),
        stateVersion: whole(object(value)['stateVersion']),
      })),
      stateVersion: whole(fields['stateVersion']),
      failed: list(fields['failed'], RECORD_LIMITS.failed, failedVersion),
      pending: list(fields['pending'], RECORD_LIMITS.pending, pendingAction),
    };
  } catch (error) {
    if (error instanceof NotARecord || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function attempt(value: unknown): Attempt {
  const fields = object(value);
  const uki = object(fields['uki']);
  return {
    ...versionId(fields),
    slot: oneOf(fields['slot'], ['a', 'b']),
    stage: oneOf(fields['stage'], ['writing', 'written', 'installed']),
    uki: { sha256: digest(uki['sha256']), sizeBytes: whole(uki['sizeBytes']) },
    checkpoint: optional(fields['checkpoint'], (found) => {
      const checkpoint = object(found);
      return { payload: digest(checkpoint['payload']), operations: whole(checkpoint['operations']) };
    }),
    startedAt: whole(fields['startedAt']),
  };
}

function trial(value: unknown): Trial {
  const fields = object(value);
  const previous = object(fields['previous']);
  return {
    ...versionId(fields),
    slot: oneOf(fields['slot'], ['a', 'b']),
    previous: { ...versionId(previous), slot: oneOf(previous['slot'], ['a', 'b']) },
    switchedAt: whole(fields['switchedAt']),
    network: network(fields['network']),
    stateVersion: whole(fields['stateVersion']),
    signer: signer(fields['signer']),
    pending: list(fields['pending'], RECORD_LIMITS.pending, pendingAction),
  };
}

function network(value: unknown): NetworkFacts {
  return {
    interfaces: list(object(value)['interfaces'], RECORD_LIMITS.interfaces, (found) => {
      const fields = object(found);
      const name = string(fields['name'], 15);
      if (!/^[A-Za-z0-9][\w.:-]*$/.test(name)) throw new NotARecord();
      return {
        name,
        ipv4: boolean(fields['ipv4']),
        ipv6: boolean(fields['ipv6']),
        gateway: boolean(fields['gateway']),
      };
    }),
  };
}

function failedVersion(value: unknown): FailedVersion {
  const fields = object(value);
  return {
    ...versionId(fields),
    reason: string(fields['reason'], RECORD_LIMITS.reason),
    logs: list(fields['logs'], RECORD_LIMITS.logLines, (line) => string(line, RECORD_LIMITS.logLine)),
    at: whole(fields['at']),
    restarts: whole(fields['restarts']),
    returned: boolean(fields['returned']),
  };
}

function pendingAction(value: unknown): PendingAction {
  const fields = object(value);
  const sha256 = digest(fields['sha256']);
  return oneOf(fields['kind'], ['loader', 'variable']) === 'loader'
    ? {
        ...{ kind: 'loader', sha256, version: string(fields['version'], 64) },
        ...(fields['tries'] === undefined ? {} : { tries: whole(fields['tries']) }),
      }
    : { kind: 'variable', sha256, variable: oneOf(fields['variable'], ['KEK', 'db', 'dbx']) };
}

function signedVersion(value: unknown): VersionId & { signer: Signer | null } {
  const fields = object(value);
  return { ...versionId(fields), signer: optional(fields['signer'], signer) };
}

function signer(value: unknown): Signer {
  const fields = object(value);
  return {
    leaf: digest(fields['leaf']),
    leafTbs: digest(fields['leafTbs']),
    issuer: digest(fields['issuer']),
  };
}

function versionId(fields: Fields): VersionId {
  const version = string(fields['version'], 64);
  if (!isImageVersion(version)) throw new NotARecord();
  return { version, rootHash: digest(fields['rootHash']) };
}

function object(value: unknown): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new NotARecord();
  return value as Fields;
}

function optional<T>(value: unknown, parse: (value: unknown) => T): T | null {
  return value === null || value === undefined ? null : parse(value);
}

function list<T>(value: unknown, most: number, parse: (value: unknown) => T): readonly T[] {
  if (!Array.isArray(value) || value.length > most) throw new NotARecord();
  return value.map((item: unknown) => parse(item));
}

function string(value: unknown, longest: number): string {
  if (typeof value !== 'string' || value.length > longest || /[^ -~]/.test(value)) throw new NotARecord();
  return value;
}

function digest(value: unknown): string {
  const text = string(value, 64);
  if (!/^[0-9a-f]{64}$/.test(text)) throw new NotARecord();
  return text;
}

function whole(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new NotARecord();
  return value;
}

function boolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new NotARecord();
  return value;
}

function oneOf<const T extends string>(value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw new NotARecord();
  return found;
}
