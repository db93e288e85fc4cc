/** Hands everything to the updater, which slipd starts as root, with our streams. */
import type { Command } from '../command.ts';
import { runOnStreams, terminalOf } from '../session.ts';

export const updateCommand: Command = {
  name: 'update',
  synopsis: 'COMMAND [OPTIONS] ...',
  summary: 'looks for newer versions, installs them, goes back: see slip update help',
  details:
    'Commands: check, apply, status, rollback, finish, scrub, hold, unhold, history, explain, config. Each takes --json, and --help.',
  flags: [],
  json: false,
  words: [1, Infinity],
  stopAtWord: 0,
  run: (system, { words }) => {
    const [name, ...rest] = words;
    // Through the FIFOs it would take the terminal for a file, and show no bar.
    const terminal = system.isTerminal(2) && name !== 'help' ? ['--terminal'] : [];
    const { termType } = terminalOf(system, 'never');
    const command = [name!, ...terminal, ...rest];
    runOnStreams(system, { kind: 'update', command, terminal: null, termType }, 'none');
  },
};
