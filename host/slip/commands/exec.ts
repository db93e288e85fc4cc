import type { Command } from '../command.ts';
import { usage } from '../output.ts';
import { runOnStreams, runOnTerminal, terminalOf } from '../session.ts';

export const execCommand: Command = {
  name: 'exec',
  synopsis: '[-T] [-u UID[:GID]] SERVICE COMMAND...',
  summary: "runs a command inside a service's container",
  // https://github.com/containers/crun/issues/2207, mended after crun 1.29.1; no suite that we take it from has that yet.
  details: `With a terminal on both sides it gets one; its exit status becomes that of \`slip exec\`. Of a flood of output a terminal may
miss parts (a fault of crun): with -T, none is ever lost.`,
  flags: [
    { name: 'no-tty', short: 'T', value: false, help: 'no terminal, even when there is one' },
    { name: 'tty', short: 't', value: false, help: 'as it is without: for the habit of `-it`' },
    { name: 'interactive', short: 'i', value: false, help: 'as it is without' },
    { name: 'user', short: 'u', value: true, help: 'numeric user, and group, to run as' },
  ],
  json: false,
  words: [2, Infinity],
  stopAtWord: 1,
  run: (system, parsed) => {
    const [service, ...command] = parsed.words;
    const user = parsed.flags.get('user') ?? null;
    if (user !== null && !/^\d{1,9}(:\d{1,9})?$/.test(user))
      return usage(system, `--user: ${user} is no number`, 'give UID or UID:GID');
    const session = terminalOf(system, parsed.flags.has('no-tty') ? 'never' : 'auto');
    const request = { kind: 'exec', service: service!, command, user, ...session } as const;
    if (session.terminal === null) runOnStreams(system, request, 'forward');
    else runOnTerminal(system, request, 'fifo');
  },
};
