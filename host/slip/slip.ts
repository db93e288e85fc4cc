/** From arguments to a subcommand of the table. */
import type { System } from '../../system/system.ts';
import { parseArguments } from '../../system/arguments.ts';
import type { Command } from './command.ts';
import { configCommand } from './commands/config.ts';
import { restartCommand, startCommand, stopCommand } from './commands/control.ts';
import { execCommand } from './commands/exec.ts';
import { installCommand } from './commands/install.ts';
import { logsCommand } from './commands/logs.ts';
import { poweroffCommand, rebootCommand } from './commands/power.ts';
import { readLogsCommand } from './commands/read-logs.ts';
import { servicesCommand } from './commands/services.ts';
import { shellCommand } from './commands/shell.ts';
import { stateCommand } from './commands/state.ts';
import { statusCommand } from './commands/status.ts';
import { updateCommand } from './commands/update.ts';
import { formatTable } from '../../system/format.ts';
import { print, usage } from './output.ts';

export const COMMANDS: readonly Command[] = [
  statusCommand,
  servicesCommand,
  stateCommand,
  logsCommand,
  startCommand,
  stopCommand,
  restartCommand,
  execCommand,
  shellCommand,
  updateCommand,
  configCommand,
  installCommand,
  rebootCommand,
  poweroffCommand,
];

export function runSlip(system: System): void {
  const [name, ...argv] = system.arguments;
  if (name === undefined) return usage(system, 'which command?', 'see: slip --help');
  if (name === '--help' || name === '-h' || name === 'help') return exitWith(system, help());
  const command = [...COMMANDS, readLogsCommand].find((candidate) => candidate.name === name);
  if (command === undefined) return usage(system, `no command is called ${name}`, 'see: slip --help');
  const flags = [
    ...command.flags,
    { name: 'help', short: 'h', value: false },
    ...(command.json ? [{ name: 'json', value: false }] : []),
  ];
  const parsed = parseArguments(argv, flags, command.stopAtWord ?? null);
  const hint = `see: slip ${name} --help`;
  if (typeof parsed === 'string') return usage(system, parsed, hint);
  if (parsed.flags.has('help')) return exitWith(system, helpOf(command));
  const [least, most] = command.words;
  if (parsed.words.length < least) return usage(system, `${name} needs ${command.synopsis}`, hint);
  if (parsed.words.length > most) return usage(system, `${name} does not take ${parsed.words[most]!}`, hint);
  command.run(system, parsed, parsed.flags.has('json') ? 'json' : 'text');
}

function help(): string {
  const rows = COMMANDS.map((command) => [`  ${command.name}`, command.summary]);
  return `Usage: slip COMMAND [OPTIONS] ...

Looks after this machine and its services.

${formatTable(rows)}

slip COMMAND --help tells more. Exit status: 0 done, 1 it failed, 2 wrong use.`;
}

function helpOf(command: Command): string {
  const json = command.json ? [{ name: 'json', value: false, help: 'for programs' }] : [];
  const flags = [...command.flags, ...json, { name: 'help', short: 'h', value: false, help: 'this' }];
  const rows = flags.map((flag) => {
    const short = 'short' in flag && flag.short !== undefined ? `-${flag.short}, ` : '    ';
    return [`  ${short}--${flag.name}${flag.value ? ` ${flag.name.toUpperCase()}` : ''}`, flag.help];
  });
  const details = command.details === undefined ? '' : `\n\n${command.details}`;
  const summary = `${command.summary[0]?.toUpperCase() ?? ''}${command.summary.slice(1)}.`;
  return `Usage: slip ${command.name}${command.synopsis === '' ? '' : ` ${command.synopsis}`}\n\n${summary}\n\n${formatTable(rows)}${details}`;
}

function exitWith(system: System, text: string): never {
  print(system, text);
  return system.exit(0);
}
