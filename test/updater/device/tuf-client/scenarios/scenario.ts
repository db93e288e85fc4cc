/** A scenario, and what all of them share. */
import type { Conformance } from '../client.ts';

export interface Scenario {
  readonly name: string;
  /** It sets the client's clock, which only the one in this process lets us do. */
  readonly clock?: true;
  readonly run: (test: Conformance) => Promise<void>;
}

/** The roles below the root. */
export const ALL = ['targets', 'snapshot', 'timestamp'];
export const DAY_MS = 86_400_000;
