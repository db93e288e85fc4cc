/** `follow`: what slipd's timer starts: looks, decides, does whatever is due, and says when to be started again. */
import { SlipwayError } from '../../../spec/error.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { explainAction } from '../explain.ts';
import { readFollowMemory, scheduleNext, writeFollowMemory, type FollowMemory } from '../follow-memory.ts';
import { followFacts } from '../following.ts';
import type { Fetcher } from '../fetch/fetcher.ts';
import { addHistory } from '../history.ts';
import { install } from '../install.ts';
import { withUpdateLock } from '../lock.ts';
import { allMirrors } from '../fetch/https.ts';
import { lookAnyhow, type Look } from '../look.ts';
import { checkDownload, checkRequirements, readOffer, type Offer } from '../offer.ts';
import { describeError } from '../output.ts';
import { PATHS } from '../paths.ts';
import { mayReboot, planFollow, type FollowAction } from '../policy/follow-plan.ts';
import { nextPoll } from '../policy/poll-time.ts';
import { createProgress } from '../progress.ts';
import { scrubWhenDue } from './scrub.ts';
import { configuredMirrors, openFetcher } from '../repository.ts';

export const followCommand: Command = {
  name: 'follow',
  synopsis: '',
  summary: 'does by itself what is due',
  hidden: true,
  flags: [],
  words: [0, 0],
  run: (context) =>
    withUpdateLock(context.system, async () => {
      const code = await follow(context);
      await scrubWhenDue(context);
      return code;
    }),
};

/** Install, switch, and a few changes of mind in between: more is a fault, not a plan (failure 34). */
const MOST_STEPS = 8;
const LONGEST_S = 86_400;
/** What this machine cannot have, however often it tries: the version is passed over until the next start. */
const HOPELESS = ['update.full-download', 'update.requirement', 'update.slot-too-small', 'release.requires'];

async function follow(context: Context): Promise<number> {
  const { system, output, config } = context;
  let memory = readFollowMemory(system);
  if (!config.settings.enabled) {
    schedule(context, memory, undefined);
    return 0;
  }
  let action: FollowAction | undefined;
  try {
    const mirrors = configuredMirrors(context);
    const fetcher = openFetcher(context, mirrors);
    let look = await lookAnyhow(context, fetcher);
    if (look.stale === undefined)
      memory = { ...memory, lookedAt: look.view.facts.now, failures: 0, error: null };
    else memory = failed(memory, look.stale);
    if (await takeBack(context, fetcher, look, followFacts(context, look, memory).switched))
      look = await lookAnyhow(context, fetcher);
    for (let step = 0; step < MOST_STEPS; step++) {
      action = planFollow(followFacts(context, look, memory));
      output.note(explainAction(action, look.view.facts.now));
      if (action.kind === 'wait') break;
      // An expired timestamp blocks what is new (decisions.md 21); so does a network that is gone, but for what is here already.
      if (look.view.timestampExpired || (look.stale !== undefined && action.kind === 'install')) break;
      try {
        look = await act(context, fetcher, look, action);
      } catch (error) {
        const { code, message } = describeError(error);
        if (!HOPELESS.includes(code)) throw error;
        memory = { ...memory, passedOver: { ...memory.passedOver, [action.version]: message } };
      }
      if (action.kind !== 'install') break;
    }
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    memory = failed(memory, error);
  } finally {
    writeFollowMemory(system, memory);
    schedule(context, memory, action);
  }
  if (memory.error !== null) output.note(`${memory.error.code}: ${memory.error.message}`);
  return memory.error === null ? 0 : 1;
}

async function act(context: Context, fetcher: Fetcher, look: Look, action: FollowAction): Promise<Look> {
  if (action.kind === 'wait') return look;
  const candidate = look.view.decision.candidates.find(({ entry }) => entry.version === action.version);
  if (candidate === undefined) return look;
  const offer = await readOffer(context, fetcher, look.metadata, candidate);
  checkRequirements(offer);
  const { version } = offer.manifest;
  const progress = createProgress(context.system, context.output, { version, terminal: context.terminal });
  try {
    if (action.kind === 'install') {
      const phase = await context.parts.nextPhase(context.system, offer.manifest);
      if (phase === 'prepare') checkDownload(context, offer, false);
      await install(context, fetcher, offer.manifest, progress, { fullConfirmed: false });
      return await lookAnyhow(context, fetcher);
    }
    progress.phase(action.kind);
    return await finish(context, fetcher, action, offer);
  } finally {
    progress.end();
  }
}

/**
 * The timestamp and the window are looked at just before the switch, and once more before the restart (failure 37): what was withdrawn, or paused, a
 * moment ago is left alone.
 */
async function finish(
  context: Context,
  fetcher: Fetcher,
  action: Extract<FollowAction, { version: string }>,
  { manifest }: Offer,
): Promise<Look> {
  const { system, parts, running, config } = context;
  const again = async (): Promise<{ readonly look: Look; readonly plan: FollowAction }> => {
    const look = await lookAnyhow(context, fetcher);
    const plan = planFollow(followFacts(context, look, readFollowMemory(system)));
    return { look, plan };
  };
  const before = await again();
  if (!isStill(before.plan, action.version) || before.look.view.timestampExpired) return before.look;
  context.checkInterrupted();
  if (action.kind === 'switch') {
    await parts.switchTo(system, manifest);
    const at = Math.floor(system.wallClockMs() / 1000);
    addHistory(system, { at, event: 'switched', version: manifest.version, from: running.version });
  }
  const after = await again();
  if (isStill(after.plan, action.version) && mayReboot(config.settings, after.look.view.facts.now))
    parts.reboot(system);
  else await takeBack(context, fetcher, after.look, action.version);
  return after.look;
}

/** What was switched to, and was stopped before the restart, is not tried at the next start, whoever causes that. */
async function takeBack(
  context: Context,
  fetcher: Fetcher,
  look: Look,
  switched: string | undefined,
): Promise<boolean> {
  const candidate = look.view.decision.candidates.find(({ entry }) => entry.version === switched);
  const verdict = candidate?.verdict;
  if (candidate === undefined || (verdict?.kind !== 'paused' && verdict?.kind !== 'withdrawn')) return false;
  const { system, parts } = context;
  const { manifest } = await readOffer(context, fetcher, look.metadata, candidate);
  // The first phase of an update takes away what lies in the other slot, its UKI first.
  await parts.prepareSlot(system, manifest);
  const at = Math.floor(system.wallClockMs() / 1000);
  const detail = `${verdict.kind}: ${verdict.reason}`;
  addHistory(system, { at, event: 'taken-back', version: manifest.version, detail });
  return true;
}

function isStill(plan: FollowAction, version: string): boolean {
  return (plan.kind === 'switch' || plan.kind === 'reboot') && plan.version === version;
}

function failed(memory: FollowMemory, error: SlipwayError): FollowMemory {
  const { code, message } = error;
  return { ...memory, failures: memory.failures + 1, error: { code, message: message.slice(0, 500) } };
}

function schedule(context: Context, memory: FollowMemory, action: FollowAction | undefined): void {
  const { system, config } = context;
  const { settings } = config;
  const now = Math.floor(system.wallClockMs() / 1000);
  const until = action?.kind === 'wait' ? action.until : undefined;
  const [chance = 128] = system.randomBytes(1);
  const nextAt = nextPoll({
    now,
    pollMs: settings.pollMs,
    failures: memory.failures,
    chance: chance / 255,
    ...(until === undefined ? {} : { until }),
  });
  const mirrors = allMirrors(settings);
  // After a failure, and when something is under way, the same bytes again are no reason to do nothing.
  const unfinished = memory.failures > 0 || (action !== undefined && action.kind !== 'wait');
  scheduleNext(system, nextAt, {
    mirrors: settings.enabled ? mirrors : [],
    proxy: settings.proxy,
    ca: settings.ca,
    timestamp: `${PATHS.metadata}/timestamp.json`,
    pollMs: settings.pollMs,
    // Brakes and timestamps expire without new bytes: at least once a day it is judged anew.
    followAt: unfinished ? now : Math.min(until ?? Infinity, now + LONGEST_S),
  });
}
