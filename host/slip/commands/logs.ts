import type { Command } from '../command.ts';
import { usage } from '../output.ts';
import { runOnStreams } from '../session.ts';
import { parseSince } from '../since.ts';

export const logsCommand: Command = {
  name: 'logs',
  synopsis: '[-f] [--since TIME] [-n LINES] SERVICE',
  summary: 'what a service wrote; times are UTC',
  flags: [
    { name: 'follow', short: 'f', value: false, help: 'go on with what it writes from now on' },
    { name: 'since', value: true, help: 'from 10m, 2h, 3d ago, or 2026-01-31, 2026-01-31T12:00:00Z on' },
    { name: 'tail', short: 'n', value: true, help: 'the last so many lines' },
  ],
  json: true,
  words: [1, 1],
  run: (system, parsed, format) => {
    const sinceText = parsed.flags.get('since');
    const since = sinceText === undefined ? null : parseSince(sinceText, system.wallClockMs());
    if (since === undefined)
      return usage(
        system,
        `--since: ${sinceText ?? ''} is no time`,
        'give 10m, 2h, 3d, 2026-01-31 or 2026-01-31T12:00:00Z',
      );
    const tailText = parsed.flags.get('tail');
    if (tailText !== undefined && !/^\d{1,7}$/.test(tailText))
      return usage(system, `--tail: ${tailText} is no number of lines`, 'give 100');
    runOnStreams(
      system,
      {
        kind: 'logs',
        service: parsed.words[0]!,
        follow: parsed.flags.has('follow'),
        since,
        tail: tailText === undefined ? null : Number(tailText),
        json: format === 'json',
      },
      'none',
    );
  },
};
