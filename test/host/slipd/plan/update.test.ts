/** When slipd keeps a version that is on trial, and when it gives it up. */
import { expect, test } from 'vitest';
import { check, describeMachine, service } from './descriptions.ts';
import { GOOD, simulate, type Fate, type Trace, type Updater } from './simulation.ts';

const MINUTE = 60_000;
const web = service('web', { gate: true, healthCheck: check({ intervalMs: 1_000, retries: 2 }) });
const machine = describeMachine(web, service('side'));

const GOOD_UPDATER: Updater = {
  trial: true,
  gate: () => ({ ok: true, detail: '' }),
  command: () => ({ code: 0, detail: '' }),
};

function run(
  change: Partial<Updater> = {},
  fate: (name: string) => Fate = () => GOOD,
  untilMs = 20 * MINUTE,
): Trace {
  return simulate(machine, fate, [], untilMs, [], { ...GOOD_UPDATER, ...change });
}

/** What of switch.js was started, with the time in seconds. */
function commands(trace: Trace): string[] {
  return trace.actions.flatMap(({ atMs, action }) =>
    action.kind === 'switch' ? [`${action.command} ${Math.round(atMs / 1000)}`] : [],
  );
}

function reason(trace: Trace): string | undefined {
  const found = trace.actions.find(({ action }) => action.kind === 'switch' && action.command === 'fail');
  return found?.action.kind === 'switch' ? found.action.reason : undefined;
}

test('a good one is committed when its gates were healthy for the soak time, and not before', () => {
  const trace = run();
  const since = trace.memory.boot.gatesHealthySinceMs! / 1000;
  expect(commands(trace)).toEqual([
    `boot ${Math.round(since + 5)}`,
    `confirm ${Math.round(since + 10)}`,
    expect.stringMatching(/^boot 1\d$/),
  ]);
  expect(trace.memory.update).toMatchObject({ phase: 'committed', reason: null });
});

test('a service that breaks at the end of the soak time is found out, however seldom it is checked', () => {
  const rarely = service('web', { gate: true, healthCheck: check({ intervalMs: 5 * MINUTE, retries: 1 }) });
  const trace = simulate(
    describeMachine(rarely),
    () => ({ ...GOOD, breaksAtMs: 9_500 }),
    [],
    20 * MINUTE,
    [],
    GOOD_UPDATER,
  );
  expect(commands(trace).some((command) => command.startsWith('confirm'))).toBe(false);
  expect(reason(trace)).toBe('gate web is not healthy: no');
});

test('failure 31: nothing is committed while a gate is not healthy', () => {
  const sick: Fate = { ...GOOD, healthy: false };
  const trace = run({}, (name) => (name === 'web' ? sick : GOOD));
  expect(commands(trace).some((command) => command.startsWith('confirm'))).toBe(false);
});

test('a gate that fails for 15 s ends the trial, with what its check said', () => {
  const sick: Fate = { ...GOOD, healthy: false };
  const trace = run({}, (name) => (name === 'web' ? sick : GOOD));
  expect(commands(trace)).toHaveLength(1);
  expect(Number(commands(trace)[0]?.split(' ')[1])).toBeLessThan(40);
  expect(reason(trace)).toBe('gate web is not healthy: no');
});

test('a service that crashes again and again ends it, one that is no gate does not', () => {
  const crash: Fate = { ...GOOD, endsAfterMs: 100, exitCode: 1 };
  expect(reason(run({}, (name) => (name === 'web' ? crash : GOOD)))).toMatch(/^gate web is not healthy/);
  expect(commands(run({}, (name) => (name === 'side' ? crash : GOOD)))).toContainEqual(
    expect.stringContaining('confirm'),
  );
});

test('failure 42: an updater that does not work ends it, once it was asked several times', () => {
  let asked = 0;
  const trace = run({
    gate: (gate) => {
      if (gate === 'updater') asked++;
      return { ok: gate !== 'updater', detail: 'the updater is broken' };
    },
  });
  expect(asked).toBeGreaterThan(2);
  expect(commands(trace).filter((command) => !command.startsWith('boot'))).toEqual([
    expect.stringMatching(/^fail [12]\d$/),
  ]);
  expect(reason(trace)).toBe('gate updater is not healthy: the updater is broken');
});

test('failure 42: an updater that stumbles once is asked again', () => {
  let asked = 0;
  const trace = run({ gate: (gate) => ({ ok: gate !== 'updater' || ++asked > 1, detail: 'busy' }) });
  expect(trace.memory.update).toMatchObject({ phase: 'committed' });
});

test('failure 32: a network that comes late is waited for; no server is ever asked', () => {
  const trace = run({
    gate: (gate, nowMs) => ({ ok: gate !== 'network' || nowMs > 2 * MINUTE, detail: 'eth0 has no address' }),
  });
  expect(trace.memory.update).toMatchObject({ phase: 'committed' });
  expect(commands(trace)).toContainEqual(expect.stringMatching(/^confirm 12\d$/));
});

test('decision 17: a network has five minutes, and not one more', () => {
  const comesAt = (limitMs: number): Trace =>
    run({
      gate: (gate, nowMs) => ({ ok: gate !== 'network' || nowMs >= limitMs, detail: 'eth0 has no address' }),
    });
  const late = comesAt(5 * MINUTE - 10_000);
  expect(late.memory.update).toMatchObject({ phase: 'committed' });
  const never = comesAt(60 * MINUTE);
  expect(never.memory.update).toMatchObject({
    phase: 'giving-up',
    reason: 'gate network is not healthy: eth0 has no address',
  });
  expect(commands(never).filter((command) => !command.startsWith('boot'))).toEqual(['fail 300']);
});

test('failure 16: a commit that does not succeed is tried again, and its reason is shown', () => {
  const trace = run({
    command: (command, nowMs) =>
      command === 'confirm' && nowMs < 3 * MINUTE
        ? { code: 1, detail: 'read-only' }
        : { code: 0, detail: '' },
  });
  expect(commands(trace).filter((command) => command.startsWith('confirm')).length).toBeGreaterThan(3);
  expect(trace.memory.update).toMatchObject({ phase: 'committed' });
  const stuck = run({ command: (command) => ({ code: command === 'confirm' ? 1 : 0, detail: 'read-only' }) });
  expect(stuck.memory.update).toMatchObject({
    phase: 'confirming',
    reason: 'it cannot be committed: read-only',
  });
});

test('failure 30: with nothing to return to it stays, and does not ask again', () => {
  const sick: Fate = { ...GOOD, healthy: false };
  const trace = run(
    { command: (command) => ({ code: command === 'fail' ? 3 : 0, detail: 'there is no other version' }) },
    (name) => (name === 'web' ? sick : GOOD),
  );
  expect(commands(trace).filter((command) => command.startsWith('fail'))).toHaveLength(1);
  expect(trace.memory.update).toMatchObject({ phase: 'kept', reason: 'there is no other version' });
});

test('what is committed is only compared with its record, once, after the services came up', () => {
  const trace = run({ trial: false });
  expect(commands(trace)).toEqual([expect.stringMatching(/^boot \d+$/)]);
  expect(trace.actions.some(({ action }) => action.kind === 'update-gate')).toBe(false);
});

test('a committed version whose gate fails later is not given up', () => {
  const later: Fate = { ...GOOD, endsAfterMs: 100, exitCode: 1 };
  const trace = run({ trial: false }, (name) => (name === 'web' ? later : GOOD));
  expect(commands(trace).filter((command) => !command.startsWith('boot'))).toEqual([]);
});

test('an image without an updater does nothing of this', () => {
  const trace = simulate(machine, () => GOOD, [], 20 * MINUTE);
  expect(commands(trace)).toEqual([]);
  expect(trace.memory.boot.verdict).toBe('healthy');
});

test('what the boot scripts or provisioning found ends it soon, with that as the reason', () => {
  const problem = 'provisioning: this image does not let nocloud do that';
  const trace = simulate(machine, () => GOOD, [], 20 * MINUTE, [problem], GOOD_UPDATER);
  expect(commands(trace).filter((command) => !command.startsWith('boot'))).toEqual(['fail 15']);
  expect(reason(trace)).toBe(problem);
});

test.each([
  ['done after a minute: kept then', MINUTE, /^confirm 6\d$/],
  ['never done, since a server is away: kept all the same', Infinity, /^confirm 24\d$/],
])('a configuration that is still carried out holds it back: %s', (_, untilMs, confirmed) => {
  const provisioning = (nowMs: number): boolean => nowMs < untilMs;
  const trace = run({ provisioning });
  expect(commands(trace)).toContainEqual(expect.stringMatching(confirmed));
  expect(trace.memory.update).toMatchObject({ phase: 'committed' });
});
