/** `slipway repo`: the repository that machines follow. */
import { Command, InvalidArgumentError } from 'commander';
import { initRepository } from '../updater/repository/repository/init.ts';
import { DEFAULT_SETTINGS } from '../updater/repository/repository/settings.ts';
import { serveRepository } from '../updater/repository/serve/serve.ts';
import { gcCommand, refreshCommand, verifyCommand } from './repo-check.ts';
import { pushCommand } from './repo-push.ts';
import { openKeys, publicationText, withKeys, type KeyFlags } from './repository-keys.ts';

export function repoCommand(): Command {
  return new Command('repo')
    .description('Makes, refreshes, checks, pushes and serves the repository that machines follow.')
    .addCommand(initCommand())
    .addCommand(refreshCommand())
    .addCommand(verifyCommand())
    .addCommand(gcCommand())
    .addCommand(pushCommand())
    .addCommand(serveCommand());
}

interface InitFlags extends KeyFlags {
  readonly targetsDays: number;
  readonly rolloutDays: number;
  readonly snapshotDays: number;
  readonly timestampDays: number;
  readonly json?: true;
}

function initCommand(): Command {
  const { targets, rollout, snapshot, timestamp } = DEFAULT_SETTINGS.validDays;
  return withKeys(
    new Command('init')
      .description('Makes a repository: a directory of static files, for any web server, store or stick.')
      .argument('<dir>', 'a new or an empty directory'),
  )
    .option('--targets-days <n>', 'for so long the list of releases is valid', days, targets)
    .option('--rollout-days <n>', 'for so long a brake holds before it must be signed again', days, rollout)
    .option('--snapshot-days <n>', 'for so long a snapshot is valid', days, snapshot)
    .option(
      '--timestamp-days <n>',
      'for so long the timestamp is valid: refresh it more often than that',
      days,
      timestamp,
    )
    .option('--json', 'print what was signed as JSON')
    .action(async (directory: string, flags: InitFlags) => {
      const keys = await openKeys(flags);
      const publication = await initRepository(directory, keys, {
        validDays: {
          targets: flags.targetsDays,
          rollout: flags.rolloutDays,
          snapshot: flags.snapshotDays,
          timestamp: flags.timestampDays,
        },
      });
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ format: '1.0', directory, ...publication }, undefined, 2)}\n`
          : `There is a repository in ${directory} now; ${publicationText(publication)}\n` +
              `Add releases: slipway release add ${directory} BUILD. Sign its timestamp anew once a day: slipway repo refresh ${directory}\n`,
      );
    });
}

interface ServeFlags {
  readonly port: number;
  readonly bind: string;
  readonly quiet?: true;
  readonly json?: true;
}

function serveCommand(): Command {
  return new Command('serve')
    .description(
      'Serves a repository over HTTP, with ranges, until it is interrupted: for laboratories. Signatures protect, not the server.',
    )
    .argument('<dir>', 'the repository')
    .option('--port <n>', 'port; 0 takes a free one', port, 8000)
    .option('--bind <address>', 'address to listen at', '127.0.0.1')
    .option('--quiet', 'do not print each request')
    .option('--json', 'print address and requests as JSON, one object a line')
    .action(async (directory: string, flags: ServeFlags) => {
      const print = (value: object, text: string): void => {
        process.stdout.write(flags.json === true ? `${JSON.stringify(value)}\n` : `${text}\n`);
      };
      const server = await serveRepository(directory, {
        port: flags.port,
        bind: flags.bind,
        log: (request) => {
          if (flags.quiet === true) return;
          const { method, path, range, status, sentBytes } = request;
          print(request, `${method} ${path} ${range ?? 'all'} ${status} ${sentBytes}`);
        },
      });
      print({ address: server.address }, `Serving ${directory} at ${server.address}/ (Ctrl-C ends it)`);
      await new Promise<void>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
      });
      await server.close();
    });
}

function days(text: string): number {
  const value = Number(text);
  if (value > 0 && value <= 3650) return value;
  throw new InvalidArgumentError('It is a number of days, up to 3650.');
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65536) return Number(text);
  throw new InvalidArgumentError('It is a number from 0 to 65535.');
}
