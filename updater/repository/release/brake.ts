/** Holds releases back, and lets them go on: signed by the channel's online key. */
import { SlipwayError } from '../../../spec/error.ts';
import { EVERYBODY, INSTANT, timeAt, type Curve } from '../../release/curve.ts';
import type { Brake, BrakeAction, ReleaseEntry, Rollout } from '../../release/document.ts';
import { releaseTargetName } from '../../release/names.ts';
import { fractionDue } from '../../release/schedule.ts';
import type { TufKeys } from '../keys/load.ts';
import { repositoryFiles } from '../repository/files.ts';
import { withRepositoryLock } from '../repository/lock.ts';
import { publish, type Publication } from '../repository/publish.ts';
import { readPublished } from '../repository/state.ts';
import { chooseReleases, releasesOf, type ReleaseChoice } from './read.ts';

export type BrakeRequest =
  /** `all`: also what comes on the channel later. */
  | { readonly do: 'pause'; readonly which: ReleaseChoice | 'all'; readonly reason: string }
  /** The rest of the machines get it in so many seconds. */
  | { readonly do: 'slow'; readonly which: ReleaseChoice; readonly curve: Curve }
  /** `go-on`: where it stopped, as fast as the release's own curve. `drop`: as if it had never been held, which may be all at once. */
  | { readonly do: 'resume'; readonly which: ReleaseChoice | 'all'; readonly how: 'go-on' | 'drop' };

export interface Braked {
  readonly publication: Publication;
  readonly brake: Brake;
  /** Target names whose brake is another one now; `*` for all. */
  readonly changed: readonly string[];
}

export async function changeBrake(
  directory: string,
  keys: TufKeys,
  channel: string,
  request: BrakeRequest,
  now = new Date(),
): Promise<Braked> {
  const files = repositoryFiles(directory);
  return withRepositoryLock(directory, async () => {
    const state = await readPublished(files, keys);
    const old = state.rollouts.get(channel)?.brake;
    if (old === undefined) {
      throw new SlipwayError('usage.channel', `there is no channel ${channel}`, {
        hint: `there are ${[...state.rollouts.keys()].join(', ')}`,
      });
    }
    const entries = releasesOf(state.targets).filter((entry) => Object.hasOwn(entry.channels, channel));
    const brake = nextBrake(old, entries, channel, request, Math.floor(now.getTime() / 1000));
    const names = [...new Set([...Object.keys(old.releases), ...Object.keys(brake.releases)])];
    const changed = names.filter(
      (name) => JSON.stringify(old.releases[name]) !== JSON.stringify(brake.releases[name]),
    );
    const publication = await publish(files, state, keys, { brakes: { [channel]: brake } }, now);
    return { publication, brake, changed };
  });
}

/** What the channel's brake is afterwards. `entries`: the channel's. */
export function nextBrake(
  old: Brake,
  entries: readonly ReleaseEntry[],
  channel: string,
  request: BrakeRequest,
  nowS: number,
): Brake {
  const live = new Set(entries.map(releaseTargetName));
  // What is said of releases that are gone is forgotten.
  const releases = new Map(Object.entries(old.releases).filter(([name]) => name === '*' || live.has(name)));
  const chosen = request.which === 'all' ? entries : chooseReleases(entries, request.which);
  const reached = (entry: ReleaseEntry): number => reachedSoFar(entry, channel, old, nowS);
  switch (request.do) {
    case 'pause': {
      const { reason } = request;
      if (request.which === 'all') releases.set('*', { action: 'pause', reason, since: nowS });
      for (const entry of chosen)
        releases.set(releaseTargetName(entry), {
          ...{ action: 'pause', reason, since: nowS },
          reached: reached(entry),
        });
      break;
    }
    case 'slow':
      for (const entry of chosen)
        releases.set(releaseTargetName(entry), {
          ...{ action: 'slow', startsAt: nowS },
          curve: goingOnFrom(request.curve, reached(entry)),
        });
      break;
    case 'resume': {
      if (request.which === 'all') releases.delete('*');
      for (const entry of chosen) {
        const name = releaseTargetName(entry);
        const rollout = entry.channels[channel];
        const slow =
          request.how === 'drop' || rollout === undefined
            ? undefined
            : resumed(rollout, reached(entry), nowS);
        if (slow === undefined) releases.delete(name);
        else releases.set(name, slow);
      }
      break;
    }
  }
  return { format: '1.0', releases: Object.fromEntries(releases) };
}

/** How many of a million had it when it was stopped, or have it by now. */
function reachedSoFar(entry: ReleaseEntry, channel: string, brake: Brake, nowS: number): number {
  const stops = [releaseTargetName(entry), '*'].flatMap((name) => {
    const action = brake.releases[name];
    return action === undefined || action.action === 'slow' ? [] : [action];
  });
  const known = stops.find(({ reached }) => reached !== undefined)?.reached;
  if (known !== undefined) return known;
  // Stopped with the whole channel, perhaps before it was there.
  const since = Math.min(nowS, ...stops.flatMap(({ since: at }) => at ?? []));
  const slowed = Object.entries(brake.releases).filter(([, action]) => action.action === 'slow');
  const fraction = fractionDue(entry, channel, { ...brake, releases: Object.fromEntries(slowed) }, since);
  return Math.floor(fraction * EVERYBODY);
}

/** The release's own curve from where it stopped on, or nothing where that is no later than the curve itself. */
function resumed({ curve, startsAt }: Rollout, reached: number, nowS: number): BrakeAction | undefined {
  const stoppedAt = Math.floor(timeAt(curve, reached / EVERYBODY));
  if (reached >= EVERYBODY || startsAt + stoppedAt >= nowS) return undefined;
  const later = curve
    .filter(([after]) => after > stoppedAt)
    .map(([after, perMillion]): readonly [number, number] => [after - stoppedAt, perMillion]);
  return {
    action: 'slow',
    startsAt: nowS,
    curve: later.length === 0 ? INSTANT : [[0, reached], ...later],
  };
}

/** The curve that was asked for, for those that do not have it yet: nobody waits again, and nobody is due at once. */
function goingOnFrom(curve: Curve, reached: number): Curve {
  if (reached >= EVERYBODY) return INSTANT;
  const left = 1 - reached / EVERYBODY;
  return curve.map(([after, perMillion]) => [
    after,
    perMillion === EVERYBODY ? EVERYBODY : reached + Math.floor(left * perMillion),
  ]);
}
