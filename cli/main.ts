/** The `slipway` command: registers the subcommands, and nothing else. */
import { Command } from 'commander';
import { SLIPWAY_VERSION } from '../spec/slipway-version.ts';
import { reportFailure } from './failure.ts';

/** Loaded only when they are called: start-up time is part of "nothing changed". */
const SUBCOMMANDS: readonly (() => Promise<Command>)[] = [
  async () => (await import('./build.ts')).buildCommand(),
  async () => (await import('./export.ts')).exportCommand(),
  async () => (await import('./lock.ts')).lockCommand(),
  async () => (await import('./validate.ts')).validateCommand(),
  async () => (await import('./keys.ts')).keysCommand(),
  async () => (await import('./run.ts')).runCommand(),
  async () => (await import('./install.ts')).installCommand(),
  async () => (await import('./inspect.ts')).inspectCommand(),
  async () => (await import('./repo.ts')).repoCommand(),
  async () => (await import('./release.ts')).releaseCommand(),
  async () => (await import('./demo.ts')).demoCommand(),
];

const NAMES = [
  'build',
  'export',
  'lock',
  'validate',
  'keys',
  'run',
  'install',
  'inspect',
  'repo',
  'release',
  'demo',
];

export async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('slipway')
    .description('Builds, signs, boots, inspects and updates minimal container-host operating systems.')
    .version(SLIPWAY_VERSION)
    .option('--debug', 'show stack traces of failures')
    .showHelpAfterError('(see --help)');
  const place = NAMES.indexOf(argv.find((word) => !word.startsWith('-')) ?? '');
  const loaders = place < 0 ? SUBCOMMANDS : SUBCOMMANDS.slice(place, place + 1);
  for (const load of loaders) program.addCommand(await load());
  throwInsteadOfExit(program);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    return reportFailure(error, { json: argv.includes('--json'), debug: argv.includes('--debug') });
  }
}

/** Commander would end the process itself. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride();
  command.commands.forEach(throwInsteadOfExit);
}

process.exitCode = await main(process.argv.slice(2));
