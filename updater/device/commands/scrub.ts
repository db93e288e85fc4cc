/** `scrub`: re-reads roots and UKIs, repairs what is rotten. By itself once a week (follow.ts). */
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { withUpdateLock } from '../lock.ts';
import { NO_SCRUB, readScrubMemory, writeScrubMemory } from '../scrub/memory.ts';
import { GENTLE_BYTES_PER_SECOND, scrub, type ScrubReport } from '../scrub/scrub.ts';

export const scrubCommand: Command = {
  name: 'scrub',
  synopsis: '[--gently]',
  summary: 're-reads the installed versions, and repairs what has rotted',
  details:
    'By itself once a week. Rotten blocks come from the other version where it has the same, else from the repository. Exit status 1 where something stays rotten.',
  flags: [{ name: 'gently', value: false, help: 'slowly, as by itself' }],
  words: [0, 0],
  run: (context, parsed) =>
    withUpdateLock(context.system, async () => {
      const report = await scrub(context, parsed.flags.has('gently') ? GENTLE_BYTES_PER_SECOND : Infinity);
      context.output.result(describe(report), report);
      return report.outcome === 'rotten' ? 1 : 0;
    }),
};

const WEEK_S = 7 * 86_400;

/** The timer's: when a week has passed since the last one. The first is a part of a week after the first start, by chance. */
export async function scrubWhenDue(context: Context): Promise<void> {
  const { system, running } = context;
  if (running.trial) return;
  const now = Math.floor(system.wallClockMs() / 1000);
  const memory = readScrubMemory(system);
  if (memory === undefined || memory.at === 0 || memory.at > now) {
    const [chance = 0] = system.randomBytes(1);
    await writeScrubMemory(system, {
      ...(memory ?? NO_SCRUB),
      at: Math.max(1, now - Math.floor((chance / 256) * WEEK_S)),
    });
    return;
  }
  if (now - memory.at < WEEK_S) return;
  const { outcome, alarms, repairs } = await scrub(context, GENTLE_BYTES_PER_SECOND);
  context.output.note([`scrub: ${outcome}`, ...alarms, ...repairs].join('\n'));
}

function describe({ slots, ukis, alarms, repairs }: ScrubReport): string {
  const blocks = slots.reduce((sum, slot) => sum + slot.blocks, 0);
  const lines = [...repairs.map((text) => `repaired: ${text}`), ...alarms.map((text) => `ALARM: ${text}`)];
  return [
    `read ${blocks} blocks and ${ukis.length} ${ukis.length === 1 ? 'UKI' : 'UKIs'}`,
    ...lines,
    ...(lines.length === 0 ? ['all of it is good'] : []),
  ].join('\n');
}
