/** `slip status` and `slip services`: one question, and two pages of its answer. */
import type { MachineStatus } from '../../../spec/machine.ts';
import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { fail, print } from '../output.ts';

/** `part`: what `--json` prints; `page`: the same for people. */
export function statusPage<Part>(
  words: Pick<Command, 'name' | 'summary'>,
  part: (status: MachineStatus) => Part,
  page: (part: Part) => string,
): Command {
  return {
    ...words,
    synopsis: '',
    flags: [],
    json: true,
    words: [0, 0],
    run: (system, _parsed, format) => {
      ask(system, { kind: 'status' }, [], {
        reply: (reply) => {
          if (reply.type !== 'status') return;
          const shown = part(reply.status);
          print(system, format === 'json' ? JSON.stringify(shown) : page(shown));
          system.exit(0);
        },
        failed: (failure) => fail(system, failure, format),
      });
    },
  };
}
