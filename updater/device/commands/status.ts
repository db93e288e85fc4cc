/** `status`: what runs, what lies ready, what failed, what the machine does next. Needs no network; tells what booted, never what should have (failure 31). */
import { formatBytes, formatTable } from '../../../system/format.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { formatTime } from '../explain.ts';
import { readFollowMemory, type FollowMemory } from '../follow-memory.ts';
import { followRecord } from '../history.ts';
import { isLocked } from '../lock.ts';
import { readProgress, type ProgressFile } from '../progress.ts';
import { readScrubMemory, type ScrubMemory } from '../scrub/memory.ts';
import { readFollowUps } from '../switch/follow-ups.ts';
import type { FollowUp } from '../switch/pending.ts';
import type { UpdateRecord } from '../switch/record-content.ts';
import { UPDATE_PATHS } from '../../../spec/update.ts';

export const statusCommand: Command = {
  name: 'status',
  synopsis: '',
  summary: 'what runs, what lies ready, what is under way, what failed',
  flags: [],
  words: [0, 0],
  run: async (context) => {
    const { system, parts, output } = context;
    const record = await parts.readRecord(system);
    followRecord(system, record);
    const busy = isLocked(system) ? readProgress(system) : undefined;
    const memory = readFollowMemory(system);
    const scrub = readScrubMemory(system);
    const followUps = readFollowUps(system);
    const state = stateOf(context, record, isLocked(system));
    const rows = [
      ...describeVersions(context, record),
      ...describeWork(state, record, busy),
      ...describeFollowing(context, memory),
      ...record.failed.map(({ version, reason }, index) => [
        index === 0 ? 'failed' : '',
        `${version}: ${reason}`,
      ]),
      ...describeFollowUps(followUps),
      ...describeScrub(scrub),
      ...context.config.problems.map((problem, index) => [index === 0 ? 'problems' : '', problem]),
    ];
    output.result(formatTable(rows), {
      state,
      running: context.running,
      committed: record.committed,
      attempt: record.attempt,
      next: isSwitched(context, record) ? record.trial : null,
      progress: busy ?? null,
      failed: record.failed,
      after: followUps,
      holds: context.holds,
      channel: context.config.settings.channel,
      enabled: context.config.settings.enabled,
      lookedAt: memory.lookedAt === 0 ? null : memory.lookedAt,
      looksAt: nextLook(context) ?? null,
      error: memory.error,
      scrub: scrub ?? null,
      problems: context.config.problems,
    });
    return 0;
  },
};

type State = 'trial' | 'working' | 'switched' | 'ready' | 'interrupted' | 'idle';

function stateOf(context: Context, record: UpdateRecord, busy: boolean): State {
  if (busy) return 'working';
  if (context.running.trial) return 'trial';
  if (isSwitched(context, record)) return 'switched';
  if (record.attempt === null) return 'idle';
  return record.attempt.stage === 'installed' ? 'ready' : 'interrupted';
}

function isSwitched({ running }: Context, { trial }: UpdateRecord): boolean {
  return trial !== null && trial.rootHash !== running.rootHash;
}

function describeVersions({ running }: Context, { committed }: UpdateRecord): string[][] {
  const state = running.trial
    ? 'on trial: it has yet to prove itself'
    : committed?.version === running.version
      ? `good since ${formatTime(committed.at)}`
      : 'good';
  return [
    [
      'running',
      `${running.image} ${running.version} (${running.architecture}, slot ${running.slot}), ${state}`,
    ],
  ];
}

function describeWork(
  state: State,
  { attempt, trial }: UpdateRecord,
  busy: ProgressFile | undefined,
): string[][] {
  switch (state) {
    case 'working':
      return [['under way', busy === undefined ? 'looking' : describeProgress(busy)]];
    case 'switched':
      return [['next', `${trial?.version ?? ''}: the next start of the machine tries it`]];
    case 'ready':
      return [['ready', `${attempt?.version ?? ''} lies ready; slip update apply switches to it`]];
    case 'interrupted':
      return [
        ['interrupted', `${attempt?.version ?? ''} is here in part; slip update apply goes on with it`],
      ];
    case 'trial':
    case 'idle':
      return [];
  }
}

function describeProgress({
  version,
  phase,
  doneBytes,
  totalBytes,
  receivedBytes,
  bytesPerSecond,
}: ProgressFile): string {
  const part = totalBytes === 0 ? '' : ` ${Math.floor((doneBytes / totalBytes) * 100)} %`;
  return `${version}: ${phase}${part}, ${formatBytes(receivedBytes)} fetched, ${formatBytes(bytesPerSecond)}/s`;
}

function describeFollowing(context: Context, memory: FollowMemory): string[][] {
  const { settings } = context.config;
  const { holds } = context;
  const next = nextLook(context);
  return [
    ['channel', settings.enabled ? settings.channel : `${settings.channel}, by command only`],
    ...(memory.lookedAt === 0 ? [] : [['looked', formatTime(memory.lookedAt)]]),
    ...(next === undefined ? [] : [['looks next', formatTime(next)]]),
    ...(memory.error === null ? [] : [['last error', memory.error.message]]),
    ...(holds.length === 0 ? [] : [['held', holds.includes('*') ? 'every newer version' : holds.join(', ')]]),
  ];
}

function describeFollowUps(followUps: readonly FollowUp[]): string[][] {
  return followUps.map(({ what, state, why }, index) => [
    index === 0 ? 'to be done' : '',
    `${what}, ${state === 'waiting' ? 'waits' : 'refused'}: ${why}`,
  ]);
}

function describeScrub(memory: ScrubMemory | undefined): string[][] {
  const { at = 0, alarms = [], repairs = [] } = memory ?? {};
  return [
    ...alarms.map((alarm) => ['ALARM', alarm]),
    ...repairs.map((what, index) => [
      index === 0 ? 'repaired' : '',
      `${what}, found ${formatTime(at)}: the disk may be failing`,
    ]),
  ];
}

function nextLook({ system, config }: Context): number | undefined {
  const seconds = Number(system.readText(UPDATE_PATHS.next)?.trim() ?? '0');
  return config.settings.enabled && seconds > 0 ? seconds : undefined;
}
