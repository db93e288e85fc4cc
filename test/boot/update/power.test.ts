import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FEW, plannedLives } from './cuts.ts';
import { setUpPoweredMachine, type PoweredMachine } from './powered.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { buildVersion } from './versions.ts';

/** `npm run test:power` asks for more. */
const CUTS = Number(process.env['SLIPWAY_POWER_CUTS'] ?? FEW.length);
const SEED = Number(process.env['SLIPWAY_POWER_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const START_LIMIT_MS = 240_000;
/** An update that was cut off before the switch takes a start to go on, one more for the trial. */
const MOST_STARTS = 4;

describe(`power cuts (SLIPWAY_POWER_SEED=${SEED})`, () => {
  let repository: TestRepository;
  let machine: PoweredMachine;

  beforeAll(async () => {
    const old = await buildVersion('2.20.0');
    const next = await buildVersion('2.21.0');
    repository = await openTestRepository('power');
    await repository.publish(old, next);
    machine = await setUpPoweredMachine('power', { old, next }, repository.guestUrl, pseudoRandom(SEED));
  }, 2 * START_LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
  });

  for (const [index, life] of plannedLives(CUTS).entries()) {
    test(
      `life ${index + 1}: old or new after each of ${life.join(', ')}; then the new one, committed`,
      { timeout: (life.length + MOST_STARTS) * START_LIMIT_MS },
      async () => {
        await machine.rewind();
        for (const cut of life) {
          let end = await startsUntil('cut', cut);
          if (end === 'committed') {
            // A random moment before it came late, and the update was through: once more from the beginning.
            await machine.rewind();
            end = await startsUntil('cut', cut);
          }
          expect(end, cut).toBe('cut');
        }
        expect(await startsUntil('committed', undefined)).toBe('committed');
      },
    );
  }

  /** The update goes on at each start, through the trial where it comes to that. */
  async function startsUntil(wanted: 'cut' | 'committed', cut: string | undefined): Promise<string> {
    for (let starts = 1; ; starts += 1) {
      const end = await machine.live(cut);
      if (end !== 'restarted' || starts === MOST_STARTS) return end;
      // A random moment that came too late was the restart itself.
      if (wanted === 'cut' && cut === 'random') return 'cut';
    }
  }
});

/** Mulberry32: the same seed, the same moments. */
function pseudoRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
