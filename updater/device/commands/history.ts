/** `history`: what became of each update. */
import { formatBytes, formatTable } from '../../../system/format.ts';
import type { Command } from '../command.ts';
import { formatTime } from '../explain.ts';
import { followRecord, readHistory, type HistoryEvent } from '../history.ts';

export const historyCommand: Command = {
  name: 'history',
  synopsis: '',
  summary: 'what became of each update, the oldest first',
  flags: [],
  words: [0, 0],
  run: async ({ system, parts, output }) => {
    followRecord(system, await parts.readRecord(system));
    const events = readHistory(system);
    const rows = events.flatMap((event) => [
      [formatTime(event.at), event.version, describeEvent(event)],
      ...(event.logs ?? []).map((line) => ['', '', `  ${line}`]),
    ]);
    output.result(rows.length === 0 ? 'nothing yet' : formatTable(rows), { events });
    return 0;
  },
};

function describeEvent({ event, from, detail, bytes }: HistoryEvent): string {
  const words = event.replace('-', ' ');
  const more = [
    ...(from === undefined ? [] : [`from ${from}`]),
    ...(bytes === undefined ? [] : [`${formatBytes(bytes)} fetched`]),
  ].join(', ');
  return `${words}${more === '' ? '' : ` (${more})`}${detail === undefined ? '' : `: ${detail}`}`;
}
