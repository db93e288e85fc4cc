/** Which mirror is asked next: the one that worked last, those that failed later, those that lied last. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { withoutPassword, type FetchLimits, type Mirror } from './config.ts';
import type { ByteRange, Connect, Connection } from './connection.ts';
import { pause } from './incoming.ts';

export interface Mirrors {
  readonly connect: (mirror: number, name: string, range: ByteRange) => Promise<Connection>;
  /** For one file: all mirrors, several times, with longer and longer pauses. */
  readonly attempts: () => Attempts;
  readonly works: (mirror: number) => void;
  /** Throws `fetch.untrustworthy` when none is left. */
  readonly distrust: (mirror: number) => void;
  /** Waits as long as the bandwidth limit wants it after so many bytes. */
  readonly paced: (count: number) => Promise<void>;
}

export interface Attempts {
  /** The one to ask now. */
  readonly mirror: () => number;
  /** Chooses the next one. Throws `fetch.missing` when every mirror that answered says so, `fetch.failed` when patience ends. */
  readonly failed: (mirror: number, fault: SlipwayError) => Promise<void>;
}

/** So often one mirror may send what is not of the release: once may have been the way. */
const LIES = 2;

export function createMirrors(
  system: System,
  list: readonly Mirror[],
  connect: Readonly<Record<Mirror['kind'], Connect>>,
  options: { readonly limits: FetchLimits; readonly bytesPerSecond?: number | undefined },
): Mirrors {
  let order = list.map((_, index) => index);
  const lies = list.map(() => 0);
  const trusted = (): readonly number[] => order.filter((index) => (lies[index] ?? 0) < LIES);
  const last = (mirror: number): void => {
    order = [...order.filter((index) => index !== mirror), mirror];
  };
  return {
    connect: (index, name, range) => {
      const mirror = list[index];
      if (mirror === undefined) throw new SlipwayError('fetch.failed', 'there is no mirror');
      return connect[mirror.kind](mirror.base, name, range);
    },
    attempts: () => createAttempts(system, list, options.limits, { trusted, last }),
    works: (mirror) => {
      if (order[0] !== mirror) order = [mirror, ...order.filter((index) => index !== mirror)];
    },
    distrust: (mirror) => {
      lies[mirror] = (lies[mirror] ?? 0) + 1;
      last(mirror);
      if (trusted().length === 0)
        throw new SlipwayError('fetch.untrustworthy', 'what the mirrors send is not what the release says', {
          hint: 'the repository may be published anew just now: it is tried again later',
        });
    },
    paced: pacer(system, options.bytesPerSecond),
  };
}

interface Order {
  readonly trusted: () => readonly number[];
  readonly last: (mirror: number) => void;
}

function createAttempts(
  system: System,
  list: readonly Mirror[],
  limits: FetchLimits,
  { trusted, last }: Order,
): Attempts {
  let faults: { readonly mirror: number; readonly fault: SlipwayError }[] = [];
  let round = 1;
  return {
    mirror: () => {
      const [first] = trusted().filter((index) => !faults.some(({ mirror }) => mirror === index));
      if (first === undefined) throw new SlipwayError('fetch.failed', 'there is no mirror to ask');
      return first;
    },
    failed: async (mirror, fault) => {
      last(mirror);
      faults.push({ mirror, fault });
      if (trusted().some((index) => !faults.some((one) => one.mirror === index))) return;
      const told = faults
        .map((one) => `${withoutPassword(list[one.mirror]?.base ?? '')}: ${one.fault.message}`)
        .join('; ');
      if (faults.some((one) => one.fault.code === 'fetch.missing'))
        throw new SlipwayError('fetch.missing', told);
      if (round >= limits.rounds)
        throw new SlipwayError('fetch.failed', `no mirror could be read: ${told}`, {
          hint: 'look at the network and at `update.mirrors`',
          cause: fault,
        });
      await pause(system, limits.pauseMs * 2 ** (round - 1));
      round += 1;
      faults = [];
    },
  };
}

/** A bucket that empties at the limit's rate; a pause in the fetching saves nothing up. */
function pacer(system: System, bytesPerSecond: number | undefined): (count: number) => Promise<void> {
  let freeAtMs = 0;
  return async (count) => {
    if (bytesPerSecond === undefined) return;
    const now = system.uptimeMs();
    freeAtMs = Math.max(freeAtMs, now) + (count * 1000) / bytesPerSecond;
    if (freeAtMs > now) await pause(system, freeAtMs - now);
  };
}
