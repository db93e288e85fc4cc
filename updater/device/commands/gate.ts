/**
 * `gate`: whether this version's updater would work (the gate `updater`, decisions.md 17): its settings and root are there, the boot partition and both
 * slots can be opened, the record can be read, stored metadata can be judged. Without the network: a dead server never rolls back a good version (failure 32).
 */
import { formatTable } from '../../../system/format.ts';
import type { Command } from '../command.ts';
import { stored, view } from '../repository.ts';

export const gateCommand: Command = {
  name: 'gate',
  synopsis: '',
  summary: 'whether this updater works, without a network',
  hidden: true,
  flags: [],
  words: [0, 0],
  run: async (context) => {
    const { entries, record, target } = await context.parts.readBoot(context.system);
    const metadata = await stored(context);
    const seen = metadata === undefined ? undefined : view(context, metadata, record);
    const rows = [
      ['boot partition', `${entries.length} versions`],
      ['other slot', target.content === undefined ? 'empty' : 'filled'],
      ['metadata', seen === undefined ? 'none yet' : `${seen.listing.entries.length} releases`],
    ];
    context.output.result(formatTable(rows), {
      entries: entries.length,
      target: target.content ?? null,
      releases: seen?.listing.entries.length ?? null,
    });
    return 0;
  },
};
