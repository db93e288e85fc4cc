/** Files of the updater on the machine, beside those of spec/update.ts. */
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { UPDATE_PATHS } from '../../spec/update.ts';

const { state, runtime } = UPDATE_PATHS;

export const PATHS = {
  /** What operators set and hold: operator-file.ts. */
  operator: `${state}/config.json`,
  metadata: `${state}/metadata`,
  /** Small files of a release that are used once it is committed (switch/pending.ts). */
  after: `${state}/after`,
  history: `${state}/history.jsonl`,
  hostId: `${MACHINE_PATHS.state}/host-id`,
  homes: `${MACHINE_PATHS.state}/home`,
  /** Settings by provisioning, in the form of the operators'. */
  provisioning: `${runtime}/provisioning.json`,
  /** Who works: lock.ts. */
  lock: `${runtime}/lock`,
  /** What is under way: progress.ts. */
  progress: `${runtime}/progress.json`,
  /** How the last looks went: follow-memory.ts. */
  follow: `${runtime}/follow.json`,
  /** For poll.js. */
  poll: `${runtime}/poll.json`,
  /** Digests of metadata that was verified since the start. */
  verified: `${runtime}/verified.json`,
  scratch: `${runtime}/scratch`,
  /** The scrub's own directory in memory: it may fetch meanwhile. */
  scrub: `${runtime}/scrub`,
} as const;
