import { describe, expect, test } from 'vitest';
import { badGates } from '../../../../host/slipd/plan/gates.ts';
import { serviceState } from '../../../../host/slipd/plan/status.ts';
import { check, dependency, describeMachine, service } from './descriptions.ts';
import { GOOD, simulate, type Fate, type Trace } from './simulation.ts';

const starts = (trace: Trace, name: string): number[] =>
  trace.actions
    .filter(({ action }) => action.kind === 'start' && action.service === name)
    .map(({ atMs }) => atMs);
const reports = (trace: Trace): string[] =>
  trace.actions.flatMap(({ action }) => (action.kind === 'report' ? [action.event] : []));

describe('order', () => {
  test('services without dependencies start at once, together', () => {
    const trace = simulate(describeMachine(service('a'), service('b')), () => GOOD, [], 1_000);
    expect([starts(trace, 'a'), starts(trace, 'b')]).toEqual([[0], [0]]);
  });

  test('each condition is waited for', () => {
    const description = describeMachine(
      service('started', { dependsOn: [dependency('db')] }),
      service('healthy', { dependsOn: [dependency('db', 'service_healthy')] }),
      service('completed', { dependsOn: [dependency('setup', 'service_completed_successfully')] }),
      service('db', { healthCheck: check() }),
      service('setup', { type: 'onboot', restart: { policy: 'no' } }),
    );
    const fate = (name: string): Fate => (name === 'setup' ? { ...GOOD, endsAfterMs: 700 } : GOOD);
    const trace = simulate(description, fate, [], 5_000);
    expect(starts(trace, 'started')).toEqual([50]);
    expect(starts(trace, 'healthy')).toEqual([330]);
    expect(starts(trace, 'completed')).toEqual([750]);
  });

  test('a failed one-shot holds back who requires it, and not who does not', () => {
    const description = describeMachine(
      service('setup', { type: 'onboot', restart: { policy: 'no' } }),
      service('strict', { dependsOn: [dependency('setup', 'service_completed_successfully')] }),
      service('lax', {
        dependsOn: [dependency('setup', 'service_completed_successfully', { required: false })],
      }),
    );
    const fate = (name: string): Fate =>
      name === 'setup' ? { ...GOOD, endsAfterMs: 10, exitCode: 3 } : GOOD;
    const trace = simulate(description, fate, [], 60_000);
    expect(starts(trace, 'strict')).toEqual([]);
    expect(starts(trace, 'lax')).toEqual([60]);
  });

  test('a dependency that has gone does not keep a crashed service down', () => {
    const description = describeMachine(service('a'), service('b', { dependsOn: [dependency('a')] }));
    const fate = (name: string, run: number): Fate =>
      name === 'b' && run === 1 ? { ...GOOD, endsAfterMs: 20_000 } : GOOD;
    const trace = simulate(
      description,
      fate,
      [{ atMs: 10_000, event: { kind: 'stop', service: 'a' } }],
      40_000,
    );
    expect(starts(trace, 'b')).toHaveLength(2);
  });
});

describe('restart', () => {
  const crashing = { ...GOOD, endsAfterMs: 10, exitCode: 1 };

  test('a crash loop backs off, doubling to a minute, and is called failing', () => {
    const trace = simulate(describeMachine(service('a')), () => crashing, [], 400_000);
    const at = starts(trace, 'a');
    const gaps = at.slice(1).map((ms, index) => Math.round((ms - at[index]!) / 1000));
    expect(gaps).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60]);
    expect(serviceState(trace.memory.services['a']!, trace.nowMs)).toBe('failing');
  });

  test('a good run forgives', () => {
    const fate = (_: string, run: number): Fate => (run <= 6 ? crashing : GOOD);
    const trace = simulate(describeMachine(service('a')), fate, [], 100_000);
    expect(serviceState(trace.memory.services['a']!, trace.nowMs)).toBe('running');
    expect(trace.memory.services['a']!.failures).toBe(0);
  });

  test.each([
    [{ policy: 'no' }, 1, 1],
    [{ policy: 'on-failure' }, 0, 1],
    [{ policy: 'on-failure', maxRetries: 2 }, 1, 3],
    [{ policy: 'always' }, 0, 7],
    [{ policy: 'unless-stopped' }, 0, 7],
  ] as const)('%j with exit code %i starts %i times within 70 s', (restart, exitCode, count) => {
    const trace = simulate(
      describeMachine(service('a', { restart })),
      () => ({ ...crashing, exitCode }),
      [],
      70_000,
    );
    expect(starts(trace, 'a')).toHaveLength(count);
  });

  test('what an operator stopped stays stopped', () => {
    const trace = simulate(
      describeMachine(service('a')),
      () => GOOD,
      [{ atMs: 1_000, event: { kind: 'stop', service: 'a' } }],
      200_000,
    );
    expect(starts(trace, 'a')).toHaveLength(1);
    expect(serviceState(trace.memory.services['a']!, trace.nowMs)).toBe('stopped');
  });

  test('a service that ignores its stop signal is killed after its grace', () => {
    const fate = { ...GOOD, stopsAfterMs: null };
    const trace = simulate(
      describeMachine(service('a')),
      () => fate,
      [{ atMs: 1_000, event: { kind: 'restart', service: 'a' } }],
      60_000,
    );
    expect(trace.actions.filter(({ action }) => action.kind === 'kill').map(({ atMs }) => atMs)).toEqual([
      11_000,
    ]);
    expect(trace.memory.services['a']!.lastExit).toMatchObject({ code: 137, killed: true, wanted: true });
    expect(starts(trace, 'a')).toHaveLength(2);
  });

  test('restart: true carries an operator restart to the dependant', () => {
    const description = describeMachine(
      service('a'),
      service('b', { dependsOn: [dependency('a', 'service_started', { restart: true })] }),
    );
    const trace = simulate(
      description,
      () => GOOD,
      [{ atMs: 1_000, event: { kind: 'restart', service: 'a' } }],
      5_000,
    );
    expect([starts(trace, 'a').length, starts(trace, 'b').length]).toEqual([2, 2]);
  });
});

describe('gates', () => {
  test('a boot is healthy once every gate has been so for the soak time, and says so once', () => {
    const description = describeMachine(service('a', { gate: true, healthCheck: check() }), service('b'));
    const trace = simulate(description, () => GOOD, [], 600_000);
    expect(reports(trace)).toEqual(['started', 'healthy']);
    expect(trace.memory.boot.gatesHealthySinceMs).toBe(330);
  });

  test('a gate that never gets healthy makes the boot degraded at the deadline', () => {
    const description = describeMachine(service('a', { gate: true, healthCheck: check() }));
    const trace = simulate(description, () => ({ ...GOOD, healthy: false }), [], 400_000);
    const degraded = trace.actions.find(
      ({ action }) => action.kind === 'report' && action.event === 'degraded',
    );
    expect(degraded?.atMs).toBe(300_000);
    expect(badGates(description, trace.memory, trace.nowMs)).toEqual(['a']);
  });

  test('a gate that turns bad later makes it degraded, and it recovers', () => {
    const description = describeMachine(service('a', { gate: true, healthCheck: check() }));
    const fate = (_: string, run: number): Fate =>
      run === 1 ? { ...GOOD, endsAfterMs: 60_000, exitCode: 1 } : GOOD;
    expect(reports(simulate(description, fate, [], 120_000))).toEqual([
      'started',
      'healthy',
      'degraded',
      'healthy',
    ]);
  });

  test('early checks come at doubling distances', () => {
    const description = describeMachine(
      service('a', { healthCheck: check({ startPeriodMs: 60_000, startIntervalMs: 500 }) }),
    );
    const trace = simulate(description, () => ({ ...GOOD, healthy: false, answersAfterMs: 0 }), [], 3_000);
    const probes = trace.actions.filter(({ action }) => action.kind === 'probe').map(({ atMs }) => atMs - 50);
    expect(probes).toEqual([250, 350, 550, 950, 1450, 1950, 2450, 2950]);
  });

  test('failures count only after the start period, and `retries` of them make it unhealthy', () => {
    const healthCheck = check({
      startPeriodMs: 10_000,
      startIntervalMs: 1_000,
      intervalMs: 5_000,
      retries: 2,
    });
    const description = describeMachine(service('a', { healthCheck }));
    const states = [9_000, 14_000, 30_000].map(
      (untilMs) =>
        simulate(description, () => ({ ...GOOD, healthy: false }), [], untilMs).memory.services['a']!.health
          .state,
    );
    expect(states).toEqual(['starting', 'starting', 'unhealthy']);
  });
});

describe('shutdown', () => {
  test('one-shots first, then dependants before what they depend on, then power', () => {
    const description = describeMachine(
      service('db'),
      service('app', { dependsOn: [dependency('db')] }),
      service('bye', { type: 'onshutdown', restart: { policy: 'no' } }),
    );
    const fate = (name: string): Fate => (name === 'bye' ? { ...GOOD, endsAfterMs: 500 } : GOOD);
    const trace = simulate(
      description,
      fate,
      [{ atMs: 10_000, event: { kind: 'shutdown', action: 'reboot' } }],
      60_000,
    );
    const after = trace.actions
      .filter(({ atMs }) => atMs >= 10_000)
      .map(({ atMs, action }) => [atMs - 10_000, action.kind, 'service' in action ? action.service : '']);
    expect(after).toEqual([
      [0, 'start', 'bye'],
      [550, 'signal', 'app'],
      [750, 'signal', 'db'],
      [950, 'power', ''],
    ]);
  });
});
