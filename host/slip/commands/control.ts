/** `start`, `stop`, `restart`: the same words for three wishes. */
import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { fail, print } from '../output.ts';

export const startCommand = controlCommand('start', 'starts a service and waits until it runs');
export const stopCommand = controlCommand(
  'stop',
  'stops a service; it stays stopped until it is started or the machine boots',
);
export const restartCommand = controlCommand('restart', 'stops a service, and starts it');

function controlCommand(kind: 'start' | 'stop' | 'restart', summary: string): Command {
  return {
    name: kind,
    synopsis: 'SERVICE',
    summary,
    flags: [],
    json: true,
    words: [1, 1],
    run: (system, parsed, format) => {
      const service = parsed.words[0]!;
      ask(system, { kind, service }, [], {
        reply: (reply) => {
          if (reply.type !== 'done') return;
          print(
            system,
            format === 'json' ? JSON.stringify({ service, message: reply.message }) : reply.message,
          );
          system.exit(0);
        },
        failed: (failure) => fail(system, failure, format),
      });
    },
  };
}
