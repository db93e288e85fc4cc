/**
 * The clock floor (decisions.md 21): no earlier than the image was built, no earlier than the time at which offline keys signed a root or
 * targets that this machine has verified. Timestamp, snapshot and rollout documents, and time servers, cannot raise it: one stolen online key
 * could otherwise make every document look expired for ever. It is not stored: it follows from the verified documents, so that a wrong date in
 * one is mended by the next.
 */
import { SIGNED_AT } from '../../release/tuf-roles.ts';

/** When a root or targets, verified, says that it was signed, in milliseconds; 0 when it says nothing that can be believed. */
export function signedAtMs(signed: SignedPart): number {
  const text = signed.unrecognizedFields?.[SIGNED_AT] ?? signed[SIGNED_AT];
  if (typeof text !== 'string' || typeof signed.expires !== 'string') return 0;
  const time = Date.parse(text);
  // Nothing is signed after it expired: such a date is a mistake.
  return Number.isFinite(time) && time < Date.parse(signed.expires) ? time : 0;
}

/** As tuf-js's models hold it, or as it stands in the file. */
export interface SignedPart {
  readonly expires?: unknown;
  readonly unrecognizedFields?: Readonly<Record<string, unknown>>;
  readonly [SIGNED_AT]?: unknown;
}

/** The time by which expiry is judged. */
export function judgedNow(wallClockMs: number, floorMs: number): number {
  return Math.max(wallClockMs, floorMs);
}
