/** What the tuf-conformance suite asks of a client, scenario by scenario under the suite's names, told in our own words. */
import { basic } from './scenarios/refresh.ts';
import { keys } from './scenarios/keys.ts';
import { expiry } from './scenarios/expiry.ts';
import { rollback } from './scenarios/rollback.ts';
import { documents } from './scenarios/documents.ts';
import { downloads } from './scenarios/downloads.ts';
import { graphs, searches, authority } from './scenarios/delegations.ts';
import { rotations, otherRotations } from './scenarios/rotation.ts';
import type { Scenario } from './scenarios/scenario.ts';

export type { Scenario } from './scenarios/scenario.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...basic,
  ...keys,
  ...expiry,
  ...rollback,
  ...downloads,
  ...documents,
  ...graphs,
  ...searches,
  authority,
  ...rotations,
  ...otherRotations,
];
