/** Cuts the power behind every change that a life makes, in many interleavings, and lets the machine go on from each. */
import { SlipwayError } from '../../../spec/error.ts';
import { checkWorld, withMedium } from './checks.ts';
import { espOf, LOADERS, loaderState, Violation } from './firmware.ts';
import { landings, oneLanding } from './landings.ts';
import { PowerCut, startUp, type Machine, type Protocol } from './machine.ts';
import { copyMedium, randomFrom, type Medium, type Random } from './medium.ts';
import { kindOfSector, makeWorld, type Start, type World } from './world.ts';

/** Something that happens to a machine. */
export interface Life {
  readonly name: string;
  readonly start: Start;
  readonly play: (machine: Machine) => Promise<void>;
  /** What a machine that was cut does first when it is up again. */
  readonly resume?: (machine: Machine) => Promise<void>;
}

export interface Extent {
  readonly seed: number;
  /** Disks that are looked at, for each place of a cut. */
  readonly landings: number;
  /** Every how many of them the machine goes on, to the end of an update, with more cuts on its way. */
  readonly recoverEvery: number;
}

export interface Explored {
  readonly cuts: number;
  readonly disks: number;
  readonly recoveries: number;
}

/** What comes in the end, whatever was before. */
const NEWEST = '9.0.0';

/** Throws Violation, with where and with which seed. */
export async function explore(life: Life, protocol: Protocol, extent: Extent): Promise<Explored> {
  const random = randomFrom(extent.seed);
  const cuts = await record(life, protocol, random);
  const seen = new Set<string>();
  const identify = identifier();
  let [disks, recoveries] = [0, 0];
  for (const { what, world } of cuts) {
    for (const medium of landings(world.medium, kindOfSector(world), random, extent.landings)) {
      const key = identify(medium, world);
      if (seen.has(key)) continue;
      seen.add(key);
      disks++;
      const at = `${life.name}: cut behind "${what}"`;
      await orViolation(at, () => checkWorld(withMedium(world, medium), random));
      if (disks % extent.recoverEvery !== 0) continue;
      recoveries++;
      await recover(at, life, withMedium(world, medium), protocol, random);
    }
  }
  return { cuts: cuts.length, disks, recoveries };
}

interface Cut {
  readonly what: string;
  readonly world: World;
}

/** The life without a cut. */
async function record(life: Life, protocol: Protocol, random: Random): Promise<readonly Cut[]> {
  const cuts: Cut[] = [];
  const world = makeWorld(life.start);
  const tick = (what: string): void =>
    void cuts.push({ what, world: withMedium(world, copyMedium(world.medium)) });
  const machine = startUp(world, { protocol, tick, random });
  await orViolation(`${life.name}, without a cut`, () => life.play(machine));
  tick('the end');
  return cuts;
}

/** Up to two more cuts, anywhere; then the update that was under way, perhaps, and a newer one. */
async function recover(
  at: string,
  life: Life,
  start: World,
  protocol: Protocol,
  random: Random,
): Promise<void> {
  const world: World = { ...start };
  const path: string[] = [];
  let cutsLeft = Math.floor(random() * 3);
  const { target } = world.ledger;
  const first =
    target !== undefined && world.behaviour[target] === undefined && random() < 0.5 ? [target] : [];
  for (;;) {
    let ticksLeft = cutsLeft > 0 ? Math.floor(random() * 70) : Infinity;
    const tick = (what: string): void => {
      if (ticksLeft-- > 0) return;
      path.push(what);
      throw new PowerCut();
    };
    try {
      const machine = startUp(world, { protocol, tick, random });
      await orViolation([at, ...path].join(', then '), async () => {
        await life.resume?.(machine);
        for (const version of first) if (!isDone(world, version)) await machine.update(version);
        await machine.update(NEWEST);
      });
      await orViolation(`${[at, ...path].join(', then ')}, in the end`, async () => {
        const { committed, trial } = await machine.record();
        if (committed?.version !== NEWEST || trial !== null) throw new Violation('it does not end committed');
        await machine.restart();
        for (const path of LOADERS)
          if (loaderState(world, path) === 'unreadable')
            throw new Violation(`the boot loader ${path} is lost`);
        // What a cut rename left as a second name is parked until its first one goes.
        const shared = espOf(world).crossLinked(/\/(PARKED\.\d+|(UKI|LOADER)\.NEW)$/);
        if (shared.length > 0) throw new Violation(`${shared.join(', ')} shares clusters in the end`);
        if ((await machine.running()).version !== NEWEST)
          throw new Violation(
            `${NEWEST} does not run in the end; the firmware sees ${(espOf(world).list('EFI/Linux') ?? []).map(({ name }) => name).join(', ')}`,
          );
      });
      return;
    } catch (error) {
      // Nobody but a file system check brings back what cut removals lost, and the next one would say so.
      if (isFull(error) && espOf(world).lostClusters() > 0) return;
      if (!(error instanceof PowerCut)) throw error;
      cutsLeft--;
      world.medium = oneLanding(world.medium, kindOfSector(world), random);
      await orViolation([at, ...path].join(', then '), () => checkWorld(world, random));
    }
  }
}

/** A clear refusal, before anything is written. */
function isFull(error: unknown): boolean {
  const cause = error instanceof Violation ? error.cause : undefined;
  return cause instanceof SlipwayError && cause.code === 'switch.esp-full';
}

/** Committed before, or what a newer one has replaced. */
function isDone(world: World, version: string): boolean {
  return world.ledger.good.has(version);
}

async function orViolation(at: string, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (error instanceof PowerCut) throw error;
    const what = error instanceof SlipwayError ? `${error.code}: ${error.message}` : String(error);
    throw new Violation(`${at}: ${what}`, { cause: error });
  }
}

/** Disks of the same sectors have the same key. */
function identifier(): (medium: Medium, world: World) => string {
  const numbers = new WeakMap<object, number>();
  let last = 0;
  const numberOf = (thing: object): number => {
    const known = numbers.get(thing);
    if (known !== undefined) return known;
    numbers.set(thing, ++last);
    return last;
  };
  return ({ durable }, { ledger, variables }) => {
    // The order of sectors differs: a sum does not see it. Two of them, so that none is taken for another.
    let [a, b] = [0, 0];
    for (const [sector, bytes] of durable) {
      const mixed = Math.imul(sector ^ Math.imul(numberOf(bytes), 0x9e3779b1), 0x85ebca6b);
      a = (a + (mixed ^ (mixed >>> 13))) >>> 0;
      b = (b + Math.imul(mixed ^ (mixed >>> 16), 0xc2b2ae35)) >>> 0;
    }
    return `${numberOf(ledger)} ${numberOf(variables)} ${a} ${b}`;
  };
}
