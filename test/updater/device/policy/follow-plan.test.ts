/** What a machine does by itself. */
import { expect, test } from 'vitest';
import type { UpdateSettings } from '../../../../spec/update.ts';
import type { Candidate, Decision } from '../../../../updater/device/policy/decide.ts';
import { mayDownload } from '../../../../updater/device/policy/download.ts';
import { mayReboot, planFollow, type FollowFacts } from '../../../../updater/device/policy/follow-plan.ts';
import { nextPoll } from '../../../../updater/device/policy/poll-time.ts';
import { parseWindows } from '../../../../updater/device/policy/window-text.ts';
import { SETTINGS } from '../settings.ts';
import type { ReleaseEntry } from '../../../../updater/release/document.ts';

const WINDOWS = parseWindows('mon 02:00-04:00') ?? [];
const at = (text: string): number => Date.parse(text) / 1000;
const MONDAY_NOON = at('2026-06-01T12:00:00Z');
const MONDAY_NIGHT = at('2026-06-01T03:00:00Z');

function candidate(version: string, verdict: Candidate['verdict']): Candidate {
  return { entry: { version } as ReleaseEntry, position: 0, verdict };
}

/** Due ones, newest first; `later` is due in an hour. */
function decision(due: readonly string[], later?: string): Decision {
  const candidates = due.map((version) => candidate(version, { kind: 'due', dueAt: 0, slowed: false }));
  const next =
    later === undefined
      ? undefined
      : candidate(later, { kind: 'later', dueAt: MONDAY_NOON + 3600, slowed: false });
  return {
    target: candidates[0],
    offered: candidates[0] ?? next,
    next,
    candidates: [...(next === undefined ? [] : [next]), ...candidates],
  };
}

function plan(changes: Partial<Omit<FollowFacts, 'settings'>>, settings: Partial<UpdateSettings> = {}) {
  return planFollow({
    settings: { ...SETTINGS, ...settings },
    decision: decision([]),
    trial: false,
    installed: undefined,
    switched: undefined,
    tooLarge: [],
    now: MONDAY_NOON,
    ...changes,
  });
}

test('what is due is installed, then switched to', () => {
  expect(plan({ decision: decision(['1.1']) })).toEqual({ kind: 'install', version: '1.1' });
  expect(plan({ decision: decision(['1.1']), installed: '1.1' })).toEqual({ kind: 'switch', version: '1.1' });
  expect(plan({ decision: decision(['1.1']), switched: '1.1' })).toEqual({ kind: 'reboot', version: '1.1' });
  expect(plan({})).toEqual({ kind: 'wait', why: 'up-to-date' });
});

test('what is not due yet is waited for', () => {
  expect(plan({ decision: decision([], '1.1') })).toEqual({
    kind: 'wait',
    why: 'not-due',
    until: MONDAY_NOON + 3600,
  });
});

test('download and reboot policies are apart', () => {
  expect(plan({ decision: decision(['1.1']) }, { download: 'manual' })).toMatchObject({
    why: 'download-manual',
  });
  expect(plan({ decision: decision(['1.1']), installed: '1.1' }, { download: 'manual' }).kind).toBe('switch');
  expect(plan({ decision: decision(['1.1']) }, { reboot: 'manual' }).kind).toBe('install');
  expect(plan({ decision: decision(['1.1']), installed: '1.1' }, { reboot: 'manual' })).toMatchObject({
    why: 'reboot-manual',
  });
  expect(plan({ decision: decision(['1.1']) }, { enabled: false })).toMatchObject({ why: 'disabled' });
});

test('windows: fetched at any time, switched to inside of one only', () => {
  const windows = { windows: WINDOWS };
  const ready = { decision: decision(['1.1']), installed: '1.1' };
  expect(plan({ decision: decision(['1.1']) }, windows).kind).toBe('install');
  expect(plan(ready, windows)).toEqual({ kind: 'wait', why: 'window', until: at('2026-06-08T02:00:00Z') });
  expect(plan({ ...ready, now: MONDAY_NIGHT }, windows).kind).toBe('switch');
  expect(mayReboot({ ...SETTINGS, ...windows }, MONDAY_NIGHT)).toBe(true);
  expect(mayReboot({ ...SETTINGS, ...windows }, MONDAY_NOON)).toBe(false);
  expect(mayReboot({ ...SETTINGS, ...windows, reboot: 'auto' }, MONDAY_NOON)).toBe(true);
  expect(mayReboot({ ...SETTINGS, reboot: 'window' }, MONDAY_NOON)).toBe(false);
});

test('failure 35: what lies ready for the window never keeps a newer one out', () => {
  const windows = { windows: WINDOWS };
  const found = { decision: decision(['1.2', '1.1']), installed: '1.1' };
  expect(plan(found, windows)).toEqual({ kind: 'install', version: '1.2' });
  expect(plan({ ...found, now: MONDAY_NIGHT }, windows)).toEqual({ kind: 'install', version: '1.2' });
  // Nor one that was switched to, and waits for its reboot.
  expect(plan({ decision: decision(['1.2', '1.1']), switched: '1.1' })).toEqual({
    kind: 'install',
    version: '1.2',
  });
  // What was withdrawn meanwhile is not switched to.
  expect(plan({ installed: '1.1', now: MONDAY_NIGHT }, windows)).toMatchObject({ kind: 'wait' });
});

test('failure 2: a full image is fetched over a costly network only as it was agreed', () => {
  expect(mayDownload(SETTINGS, 'full', false)).toBe('yes');
  const metered = { ...SETTINGS, metered: true };
  expect(mayDownload(metered, 'delta', false)).toBe('yes');
  expect(mayDownload(metered, 'full', false)).toBe('ask');
  expect(mayDownload(metered, 'blocks', false)).toBe('ask');
  expect(mayDownload(metered, 'full', true)).toBe('yes');
  expect(mayDownload({ ...metered, fullDownloads: 'always' }, 'full', false)).toBe('yes');
  expect(mayDownload({ ...SETTINGS, fullDownloads: 'never' }, 'full', false)).toBe('no');
  // What is too large is passed over; an older one for which there is a delta is not.
  expect(plan({ decision: decision(['1.2', '1.1']), tooLarge: ['1.2'] })).toEqual({
    kind: 'install',
    version: '1.1',
  });
  expect(plan({ decision: decision(['1.2']), tooLarge: ['1.2'] })).toMatchObject({ why: 'too-large' });
  expect(plan({ decision: decision(['1.2']), tooLarge: ['1.2'], installed: '1.2' }).kind).toBe('switch');
});

test('failure 34: the plan has no loops: each step leads to the next, and after a failure to none', () => {
  const due = decision(['1.1']);
  const steps = [
    plan({ decision: due }),
    plan({ decision: due, installed: '1.1' }),
    plan({ decision: due, switched: '1.1' }),
    plan({ decision: due, trial: true }),
    // Rolled back: decide() says "failed", so nothing is due.
    plan({ decision: decision([]) }),
  ];
  expect(steps.map(({ kind }) => kind)).toEqual(['install', 'switch', 'reboot', 'wait', 'wait']);
});

test('polls: spread, sooner after a failure, then ever later, never later than what falls due', () => {
  const poll = (changes: Partial<Parameters<typeof nextPoll>[0]>): number =>
    nextPoll({ now: 1000, pollMs: 3_600_000, failures: 0, chance: 0.5, ...changes }) - 1000;
  expect([poll({ chance: 0 }), poll({}), poll({ chance: 1 })]).toEqual([1800, 3600, 5400]);
  expect([1, 2, 3, 7, 50].map((failures) => poll({ failures }))).toEqual([60, 120, 240, 3600, 3600]);
  expect(poll({ pollMs: 86_400_000, failures: 50 })).toBe(86_400);
  expect(poll({ pollMs: 5000, failures: 3 })).toBe(20);
  expect(poll({ pollMs: 1000, chance: 0 })).toBe(1);
  expect(poll({ until: 1100 })).toBe(101);
  expect(poll({ until: 9999 })).toBe(3600);
  expect(poll({ until: 500 })).toBe(3600);
});
