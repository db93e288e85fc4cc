import type { Command } from '../command.ts';
import { runOnStreams, runOnTerminal, terminalOf } from '../session.ts';

export const shellCommand: Command = {
  name: 'shell',
  synopsis: '[COMMAND...]',
  summary: "a root shell in the host's own namespaces, where the image allows it",
  details: 'Every use is logged, with your name, to /var/log/slipway/shell and the console.',
  flags: [{ name: 'no-tty', short: 'T', value: false, help: 'no terminal, even when there is one' }],
  json: false,
  words: [0, Infinity],
  stopAtWord: 0,
  run: (system, parsed) => {
    const session = terminalOf(system, parsed.flags.has('no-tty') ? 'never' : 'auto');
    const request = { kind: 'shell', command: parsed.words, ...session } as const;
    if (session.terminal === null) runOnStreams(system, request, 'forward');
    else runOnTerminal(system, request, 'terminal');
  },
};
