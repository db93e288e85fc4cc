/** From arguments to a command of the table. Exit codes: 0 done, 1 it failed, 2 wrong use, 130 interrupted. */
import { parseArguments } from '../../system/arguments.ts';
import { formatTable } from '../../system/format.ts';
import type { System } from '../../system/system.ts';
import type { Command } from './command.ts';
import { applyCommand } from './commands/apply.ts';
import { checkCommand } from './commands/check.ts';
import { configCommand } from './commands/config.ts';
import { explainCommand } from './commands/explain.ts';
import { finishCommand } from './commands/finish.ts';
import { followCommand } from './commands/follow.ts';
import { gateCommand } from './commands/gate.ts';
import { historyCommand } from './commands/history.ts';
import { holdCommand, unholdCommand } from './commands/hold.ts';
import { rollbackCommand } from './commands/rollback.ts';
import { scrubCommand } from './commands/scrub.ts';
import { statusCommand } from './commands/status.ts';
import { openContext } from './context.ts';
import { Interrupted, INTERRUPTED_EXIT } from './interrupt.ts';
import { createOutput, printError, write } from './output.ts';
import type { Parts } from './parts.ts';

export const COMMANDS: readonly Command[] = [
  checkCommand,
  applyCommand,
  statusCommand,
  rollbackCommand,
  finishCommand,
  scrubCommand,
  holdCommand,
  unholdCommand,
  historyCommand,
  explainCommand,
  configCommand,
  followCommand,
  gateCommand,
];

/** `slip` says so when its output is a terminal: what it gives us is a FIFO. */
export const TERMINAL_FLAG = 'terminal';

export interface Environment {
  readonly parts: Parts;
  readonly checkInterrupted: () => void;
}

/** Returns the exit code. */
export async function runUpdate(
  system: System,
  argv: readonly string[],
  environment: Environment,
): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    write(system, name === undefined ? 2 : 1, `${help()}\n`);
    return name === undefined ? 2 : 0;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command === undefined) return usage(system, `no command is called ${name}`, 'see: slip update --help');
  const hint = `see: slip update ${name} --help`;
  const flags = [
    ...command.flags,
    { name: 'help', short: 'h', value: false },
    { name: 'json', value: false },
    { name: TERMINAL_FLAG, value: false },
  ];
  const parsed = parseArguments(rest, flags, null);
  if (typeof parsed === 'string') return usage(system, parsed, hint);
  if (parsed.flags.has('help')) {
    write(system, 1, `${helpOf(command)}\n`);
    return 0;
  }
  const [least, most] = command.words;
  if (parsed.words.length < least) return usage(system, `${name} needs ${command.synopsis}`, hint);
  if (parsed.words.length > most)
    return usage(system, `${name} does not take ${parsed.words[most] ?? ''}`, hint);
  const format = parsed.flags.has('json') ? 'json' : 'text';
  try {
    const context = openContext(system, environment.parts, {
      output: createOutput(system, format),
      terminal: parsed.flags.has(TERMINAL_FLAG) || system.isTerminal(2),
      checkInterrupted: environment.checkInterrupted,
    });
    return await command.run(context, parsed);
  } catch (error) {
    if (error instanceof Interrupted) {
      write(system, 2, `slip update: ${error.message}\n`);
      return INTERRUPTED_EXIT;
    }
    // slipd takes the last line.
    printError(system, format, error, command.hidden === true ? 'without' : 'with');
    return 1;
  }
}

function usage(system: System, message: string, hint: string): number {
  write(system, 2, `slip update: ${message}\n  hint: ${hint}\n`);
  return 2;
}

function help(): string {
  const rows = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ name, summary }) => [
    `  ${name}`,
    summary,
  ]);
  return `Usage: slip update COMMAND [OPTIONS] ...

Brings this machine to newer versions, and back.

${formatTable(rows)}

slip update COMMAND --help tells more. Exit status: 0 done, 1 it failed, 2 wrong use, 130 interrupted.`;
}

function helpOf(command: Command): string {
  const flags = [
    ...command.flags,
    { name: 'json', value: false, help: 'for programs' },
    { name: 'help', short: 'h', value: false, help: 'this' },
  ];
  const rows = flags.map((flag) => {
    const short = 'short' in flag && flag.short !== undefined ? `-${flag.short}, ` : '    ';
    return [`  ${short}--${flag.name}${flag.value ? ` ${flag.name.toUpperCase()}` : ''}`, flag.help];
  });
  const details = command.details === undefined ? '' : `\n\n${command.details}`;
  const summary = `${command.summary[0]?.toUpperCase() ?? ''}${command.summary.slice(1)}.`;
  return `Usage: slip update ${command.name}${command.synopsis === '' ? '' : ` ${command.synopsis}`}\n\n${summary}\n\n${formatTable(rows)}${details}`;
}
