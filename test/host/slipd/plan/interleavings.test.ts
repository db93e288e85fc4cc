import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MachineDescription } from '../../../../spec/machine.ts';
import { badGates } from '../../../../host/slipd/plan/gates.ts';
import { isFailing } from '../../../../host/slipd/plan/restart.ts';
import { check, dependency, describeMachine, service } from './descriptions.ts';
import { simulate, type Fate, type Step } from './simulation.ts';

const NAMES = ['a', 'b', 'c', 'd'] as const;
const DAY_MS = 86_400_000;

const fates: fc.Arbitrary<Fate> = fc.record({
  startsAfterMs: fc.option(fc.nat(5_000), { freq: 20 }),
  endsAfterMs: fc.option(fc.oneof(fc.nat(2_000), fc.nat(60_000)), { freq: 2 }),
  exitCode: fc.constantFrom(0, 1, 7, 137),
  stopsAfterMs: fc.option(fc.nat(20_000)),
  healthy: fc.boolean(),
  answersAfterMs: fc.oneof(fc.nat(100), fc.nat(100_000)),
});

/** Dependencies only on earlier services: the builder refuses cycles. */
const descriptions: fc.Arbitrary<MachineDescription> = fc
  .tuple(
    ...NAMES.map((name, index) =>
      fc
        .record({
          type: fc.constantFrom('service', 'service', 'onboot', 'onshutdown' as const),
          gate: fc.boolean(),
          restart: fc.constantFrom(
            { policy: 'no' as const },
            { policy: 'always' as const },
            { policy: 'on-failure' as const, maxRetries: 3 },
            { policy: 'unless-stopped' as const },
          ),
          dependsOn: fc.subarray(NAMES.slice(0, index)).chain((names) =>
            fc.tuple(
              ...names.map((other) =>
                fc
                  .record({
                    condition: fc.constantFrom(
                      'service_started' as const,
                      'service_healthy' as const,
                      'service_completed_successfully' as const,
                    ),
                    required: fc.boolean(),
                    restart: fc.boolean(),
                  })
                  .map(({ condition, ...change }) => dependency(other, condition, change)),
              ),
            ),
          ),
          checked: fc.boolean(),
        })
        .map(({ checked, ...change }) =>
          service(name, { ...change, ...(checked ? { healthCheck: check({ intervalMs: 2_000 }) } : {}) }),
        ),
    ),
  )
  .map((services) => describeMachine(...services));

const operations: fc.Arbitrary<Step> = fc.record({
  atMs: fc.nat(300_000),
  event: fc.oneof(
    fc.record({
      kind: fc.constantFrom('start' as const, 'stop' as const, 'restart' as const),
      service: fc.constantFrom(...NAMES),
    }),
    fc.record({
      kind: fc.constant('probed' as const),
      service: fc.constantFrom(...NAMES),
      run: fc.nat(5),
      ok: fc.boolean(),
      detail: fc.constant('stray'),
    }),
    fc.record({
      kind: fc.constant('out-of-memory' as const),
      service: fc.constantFrom(...NAMES, 'unknown'),
      atMs: fc.nat(300_000),
    }),
  ),
});

const scenarios = fc.record({
  description: descriptions,
  fate: fc.array(fates, { minLength: 1, maxLength: 12 }),
  steps: fc.array(operations, { maxLength: 8 }),
});

const pick =
  (list: readonly Fate[]) =>
  (name: string, run: number): Fate =>
    list[(NAMES.indexOf(name as 'a') * 7 + run) % list.length]!;

test('no interleaving makes slipd busy: turns are bounded by what happens', () => {
  fc.assert(
    fc.property(scenarios, ({ description, fate, steps }) => {
      const trace = simulate(description, pick(fate), steps, 600_000);
      // Checks every 2 s for 4 services, their answers, starts and ends; far from a loop.
      expect(trace.turns).toBeLessThan(10_000);
    }),
    { numRuns: 60 },
  );
});

test('no service is lost: what is wanted, and not blocked, has a process or a time at which it gets one', () => {
  fc.assert(
    fc.property(scenarios, ({ description, fate, steps }) => {
      const trace = simulate(description, pick(fate), steps, 600_000);
      for (const [name, own] of Object.entries(trace.memory.services)) {
        if (own.phase !== 'down' || !own.wanted || !own.released) continue;
        expect(own.notBeforeMs, name).toBeGreaterThan(trace.nowMs - 1);
        expect(own.notBeforeMs - trace.nowMs, name).toBeLessThanOrEqual(60_000);
      }
    }),
    { numRuns: 60 },
  );
});

test('a boot is only called healthy while every gate is', () => {
  fc.assert(
    fc.property(scenarios, fc.nat(600_000), ({ description, fate, steps }, untilMs) => {
      const { memory, nowMs } = simulate(description, pick(fate), steps, untilMs);
      if (memory.boot.verdict !== 'healthy') return;
      expect(badGates(description, memory, nowMs)).toEqual([]);
      for (const { name, gate, type } of description.services) {
        if (!gate || type !== 'service') continue;
        const own = memory.services[name]!;
        expect(own.phase).toBe('up');
        expect(isFailing(own, nowMs)).toBe(false);
      }
    }),
    { numRuns: 60 },
  );
});

test('a problem of the machine itself keeps every boot from being healthy', () => {
  fc.assert(
    fc.property(descriptions, fc.array(fates, { minLength: 1, maxLength: 4 }), (description, fate) => {
      const withProblem = { ...description, gateSoakMs: 0 };
      const trace = simulate(withProblem, pick(fate), [], 400_000, ['tampered']);
      expect(trace.memory.boot.verdict).toBe('degraded');
    }),
    { numRuns: 30 },
  );
});

test('a shutdown ends, whatever the services do, and nothing starts afterwards', () => {
  fc.assert(
    fc.property(scenarios, fc.nat(200_000), ({ description, fate, steps }, atMs) => {
      const shutdown: Step = { atMs, event: { kind: 'shutdown', action: 'poweroff' } };
      const trace = simulate(description, pick(fate), [...steps, shutdown], DAY_MS);
      const power = trace.actions.filter(({ action }) => action.kind === 'power');
      expect(power).toHaveLength(1);
      expect(power[0]!.atMs - atMs).toBeLessThanOrEqual(181_000);
      const types = new Map(description.services.map(({ name, type }) => [name, type]));
      for (const { atMs: startedMs, action } of trace.actions)
        if (action.kind === 'start' && startedMs > atMs) expect(types.get(action.service)).toBe('onshutdown');
    }),
    { numRuns: 60 },
  );
});
