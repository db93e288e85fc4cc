import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  curve as readCurve,
  evenCurve,
  EVERYBODY,
  fractionAt,
  INSTANT,
  timeAt,
  type Curve,
} from '../../../updater/release/curve.ts';
import type { Brake } from '../../../updater/release/document.ts';
import { position } from '../../../updater/release/position.ts';
import { fractionDue, scheduleOf } from '../../../updater/release/schedule.ts';
import { ENTRY, ROLLOUT } from './samples.ts';

const NAME = 'release_minimal_1.1.0_amd64.json';
const T0 = ROLLOUT.startsAt;

/** Any curve that the reader takes. */
const curves: fc.Arbitrary<Curve> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 0, max: 1000 })), { maxLength: 8 })
  .map((steps): Curve => {
    const total = steps.reduce((sum, [, rise]) => sum + rise, 1);
    let [seconds, risen] = [0, 0];
    const points = steps.map(([wait, rise]): readonly [number, number] => [
      (seconds += wait),
      Math.floor(((risen += rise) / total) * EVERYBODY),
    ]);
    return [...points, [seconds + 3600, EVERYBODY]];
  });
// Whole seconds: beside Unix times, smaller ones are lost.
const moments = fc.integer({ min: -10_000, max: 900_000 });
const positions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test('what the generator makes, the reader takes', () => {
  fc.assert(
    fc.property(curves, (curve) => {
      expect(readCurve(curve, { path: 'curve', unknownKeys: 'refuse' })).toEqual(curve);
    }),
  );
});

test('a curve never falls, and ends at all', () => {
  fc.assert(
    fc.property(curves, moments, moments, (curve, a, b) => {
      const [early, late] = a < b ? [a, b] : [b, a];
      expect(fractionAt(curve, early)).toBeLessThanOrEqual(fractionAt(curve, late));
      expect(fractionAt(curve, -1)).toBe(0);
      expect(fractionAt(curve, curve.at(-1)?.[0] ?? 0)).toBe(1);
    }),
  );
});

test('timeAt is the inverse: before it a machine is not due, from it on it is', () => {
  fc.assert(
    fc.property(curves, positions, (curve, u) => {
      const due = timeAt(curve, u);
      expect(fractionAt(curve, due - 1)).toBeLessThanOrEqual(u + 1e-9);
      expect(fractionAt(curve, due + 1)).toBeGreaterThan(u - 1e-9);
      expect(due).toBeLessThanOrEqual(curve.at(-1)?.[0] ?? 0);
    }),
  );
});

test('some values by hand', () => {
  const waves: Curve = [
    [0, 10_000],
    [3600, 10_000],
    [7200, 500_000],
    [10800, 1_000_000],
  ];
  expect(fractionAt(waves, -0.001)).toBe(0);
  expect(fractionAt(waves, 0)).toBe(0.01);
  expect(fractionAt(waves, 3599)).toBeCloseTo(0.01, 12);
  expect(fractionAt(waves, 5400)).toBeCloseTo(0.255, 12);
  expect(timeAt(waves, 0.005)).toBe(0);
  // On the flat part there is nobody left: the next is due when it rises.
  expect(timeAt(waves, 0.01)).toBe(3600);
  expect(timeAt(waves, 0.75)).toBe(9000);
  expect(timeAt(INSTANT, 0.999)).toBe(0);
  expect(fractionAt(evenCurve(100, 400_000), 50)).toBeCloseTo(0.7, 12);
});

describe('the brake', () => {
  const braked = (action: Brake['releases'][string], name = NAME): Brake => ({
    format: '1.0',
    releases: { [name]: action },
  });

  test('never makes anything faster, whatever it says', () => {
    fc.assert(
      fc.property(
        curves,
        curves,
        fc.integer({ min: -1e6, max: 1e6 }),
        positions,
        moments,
        (own, slow, shift, u, at) => {
          const entry = { ...ENTRY, channels: { stable: { ...ROLLOUT, curve: own } } };
          const brake = braked({ action: 'slow', startsAt: T0 + shift, curve: slow });
          const without = scheduleOf({ ...entry, withoutBrake: 'follow' }, 'stable', undefined, u);
          const held = scheduleOf(entry, 'stable', brake, u);
          if (without.kind !== 'due' || held.kind !== 'due') throw new Error('not due');
          expect(held.dueAt).toBeGreaterThanOrEqual(without.dueAt);
          const fraction = fractionDue(entry, 'stable', brake, T0 + at);
          expect(fraction).toBeLessThanOrEqual(fractionAt(own, at));
          // Both ways of asking agree: clearly due, clearly not.
          if (fraction > u + 1e-6) expect(held.dueAt).toBeLessThanOrEqual(T0 + at + 1);
          if (fraction < u - 1e-6) expect(held.dueAt).toBeGreaterThan(T0 + at - 1);
        },
      ),
    );
  });

  test('pauses and withdraws one release, or all of the channel', () => {
    const pause = { action: 'pause', reason: 'reports of broken Wi-Fi' } as const;
    expect(scheduleOf(ENTRY, 'stable', braked(pause), 0)).toEqual({ kind: 'paused', reason: pause.reason });
    expect(scheduleOf(ENTRY, 'stable', braked(pause, '*'), 0)).toEqual({
      kind: 'paused',
      reason: pause.reason,
    });
    expect(scheduleOf(ENTRY, 'stable', braked(pause, 'release_minimal_1.2.0_amd64.json'), 0).kind).toBe(
      'due',
    );
    expect(fractionDue(ENTRY, 'stable', braked(pause), T0 + 1e6)).toBe(0);
    const both: Brake = {
      format: '1.0',
      releases: { '*': { action: 'withdraw', reason: 'end' }, ...braked(pause).releases },
    };
    expect(scheduleOf(ENTRY, 'stable', both, 0).kind).toBe('withdrawn');
  });

  test('is that of one channel: another one has its own curve', () => {
    expect(scheduleOf(ENTRY, 'beta', undefined, 0)).toEqual({ kind: 'other-channel' });
    expect(fractionDue(ENTRY, 'constructor', undefined, 2 ** 40)).toBe(0);
  });

  test('missing: the release says whether machines wait', () => {
    expect(scheduleOf(ENTRY, 'stable', undefined, 0)).toEqual({ kind: 'no-brake' });
    const follow = { ...ENTRY, withoutBrake: 'follow' } as const;
    expect(scheduleOf(follow, 'stable', undefined, 0.5)).toEqual({
      kind: 'due',
      dueAt: T0 + 43200,
      slowed: false,
    });
  });
});

describe('100,000 machines', () => {
  const hosts = Array.from({ length: 100_000 }, (_, index) => index.toString(16).padStart(32, '0'));
  const due = hosts.map((host) => position(NAME, host)).sort((a, b) => a - b);
  const shareBelow = (u: number): number => due.filter((each) => each < u).length / due.length;
  const curve: Curve = [
    [0, 0],
    [3600, 10_000],
    [86400, 200_000],
    [259200, 1_000_000],
  ];

  test('follow the curve within 1 %, at every hour', () => {
    for (let hour = 0; hour <= 72; hour++) {
      const fraction = fractionAt(curve, hour * 3600);
      expect(Math.abs(shareBelow(fraction) - fraction)).toBeLessThan(0.01);
    }
  });

  test('are never due all of a sudden: no minute brings more than 0.1 % of them', () => {
    const minutes = new Map<number, number>();
    for (const u of due) {
      const minute = Math.floor(timeAt(curve, u) / 60);
      minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
    }
    expect(Math.max(...minutes.values()) / due.length).toBeLessThan(0.001);
  });

  test('are in another order for another release', () => {
    const few = hosts.slice(0, 10_000);
    const first = new Set(few.filter((host) => position(NAME, host) < 0.1));
    const again = few.filter((host) => position('release_minimal_1.2.0_amd64.json', host) < 0.1);
    const both = again.filter((host) => first.has(host)).length;
    // By chance a tenth of a tenth: a hundred machines.
    expect(both).toBeLessThan(160);
    expect(both).toBeGreaterThan(50);
  });

  test('have the position that the documentation says', () => {
    // printf 'release_minimal_1.1.0_amd64.json\n000...0' | sha256sum
    expect(position(NAME, '0'.repeat(32))).toBe(Number(BigInt('0x9b8d7a1a256b4ed7') >> 11n) / 2 ** 53);
    expect(() => position(NAME, 'ü')).toThrow('ASCII');
  });
});
