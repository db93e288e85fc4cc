import type { StateStatus } from '../../../spec/machine.ts';
import { ERASE_STATE } from '../../control/protocol.ts';
import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { formatBytes, formatTable } from '../../../system/format.ts';
import { fail, print, usage } from '../output.ts';

export const stateCommand: Command = {
  name: 'state',
  synopsis: 'show | reset --erase yes-erase-all-data',
  summary:
    'the state partition, which holds all that this machine keeps; makes it anew when it cannot be used',
  details: `reset is for a machine that says that its state partition cannot be mounted. It writes an empty file system over it and reboots:
logs, volumes, host keys, host id and records of updates are lost. Nothing else ever formats it.`,
  flags: [{ name: 'erase', value: true, help: `has to be ${ERASE_STATE}` }],
  json: true,
  words: [1, 1],
  run: (system, parsed, format) => {
    const hint = 'see: slip state --help';
    const [what] = parsed.words;
    const erase = parsed.flags.get('erase');
    if (what !== 'show' && what !== 'reset') return usage(system, `state: ${what} is no such thing`, hint);
    if (what === 'show' && erase !== undefined) return usage(system, 'state show erases nothing', hint);
    if (what === 'reset' && erase !== ERASE_STATE)
      return usage(
        system,
        'state reset erases all that this machine keeps',
        `say so: slip state reset --erase ${ERASE_STATE}`,
      );
    ask(system, what === 'show' ? { kind: 'state' } : { kind: 'state-reset', erase: ERASE_STATE }, [], {
      reply: (reply) => {
        if (reply.type === 'state')
          print(system, format === 'json' ? JSON.stringify(reply.state) : describeState(reply.state));
        else if (reply.type === 'done')
          print(system, format === 'json' ? JSON.stringify({ message: reply.message }) : reply.message);
        else return;
        system.exit(0);
      },
      failed: (failure) => fail(system, failure, format),
    });
  },
};

/** The page that `slip state show` prints. */
export function describeState(state: StateStatus): string {
  const rows = [
    ['device', state.device === null ? 'none' : `${state.device}, ${formatBytes(state.sizeBytes)}`],
    ['/var', state.mounted],
    ['problem', state.problem ?? 'none'],
    ...state.check.map((line, index) => [index === 0 ? 'e2fsck' : '', line]),
  ];
  const remedy =
    state.problem === null || state.device === null
      ? ''
      : `\n\nThis boot keeps nothing. To give up what is on ${state.device}: slip state reset --erase ${ERASE_STATE}`;
  return `${formatTable(rows)}${remedy}`;
}
