/** Reads a Brake. */
import { curve, EVERYBODY } from './curve.ts';
import type { Brake, BrakeAction } from './document.ts';
import { MAX_UNIX_S } from './entry.ts';
import { format, openDocument } from './format.ts';
import { BRAKED } from './names.ts';
import { integer, isObject, mapping, object, oneOf, optional, text, type Reader } from './reader.ts';
import { rolloutTarget } from './tuf-roles.ts';

const MAX_BRAKED = 1000;

type Stop = Extract<BrakeAction, { reason: string }>;
type Slow = Extract<BrakeAction, { curve: unknown }>;

const stop = object<Stop>({
  action: oneOf('pause', 'withdraw'),
  reason: text({ max: 1000 }),
  since: optional(integer(0, MAX_UNIX_S)),
  reached: optional(integer(0, EVERYBODY)),
});
const slow = object<Slow>({ action: oneOf('slow'), startsAt: integer(0, MAX_UNIX_S), curve });

const action: Reader<BrakeAction> = (value, place) =>
  isObject(value) && value['action'] === 'slow' ? slow(value, place) : stop(value, place);

const brake = object<Brake>({ format, releases: mapping(BRAKED, action, MAX_BRAKED) });

/**
 * Throws `release.invalid`, and `release.format` for what a later Slipway wrote: a brake that cannot be read counts as missing
 * (ReleaseEntry.withoutBrake).
 */
export function parseBrake(value: unknown, channel: string): Brake {
  return brake(value, openDocument(value, rolloutTarget(channel)));
}

/** Nothing is held back. */
export const RELEASED: Brake = { format: '1.0', releases: {} };
