import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { fail, print } from '../output.ts';

export const rebootCommand = powerCommand('reboot', 'stops every service in order and restarts the machine');
export const poweroffCommand = powerCommand(
  'poweroff',
  'stops every service in order and switches the machine off',
);

function powerCommand(kind: 'reboot' | 'poweroff', summary: string): Command {
  return {
    name: kind,
    synopsis: '',
    summary,
    flags: [],
    json: true,
    words: [0, 0],
    run: (system, _parsed, format) => {
      ask(system, { kind }, [], {
        reply: (reply) => {
          if (reply.type !== 'done') return;
          print(system, format === 'json' ? JSON.stringify({ message: reply.message }) : reply.message);
          system.exit(0);
        },
        failed: (failure) => fail(system, failure, format),
      });
    },
  };
}
