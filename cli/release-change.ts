/** `slipway release withdraw|promote`: changes that the offline keys sign. */
import { Command } from 'commander';
import { curveOf } from '../updater/repository/release/curve-text.ts';
import { promoteRelease, withdrawRelease, type Changed } from '../updater/repository/release/change.ts';
import { openKeys, publicationText, withKeys, type KeyFlags } from './repository-keys.ts';
import { choiceOf, withChoice, type ChoiceFlags } from './release-choice.ts';

interface Flags extends KeyFlags, ChoiceFlags {
  readonly json?: true;
}

export function withdrawCommand(): Command {
  return withKeys(
    withChoice(
      new Command('withdraw')
        .description(
          'Offers a release to no machine any more; those that have it keep it. Needs the targets keys: where they are far, pause it first.',
        )
        .argument('<dir>', 'the repository')
        .argument('<version>', 'the release')
        .requiredOption('--reason <text>', 'why; machines tell it'),
    ),
  )
    .option('--json', 'print the releases as JSON')
    .action(async (directory: string, version: string, flags: Flags & { readonly reason: string }) => {
      const changed = await withdrawRelease(directory, await openKeys(flags), choiceOf(version, flags), {
        reason: flags.reason,
      });
      report(changed, flags, 'is withdrawn');
    });
}

export function promoteCommand(): Command {
  return withKeys(
    withChoice(
      new Command('promote')
        .description('Gives a release to another channel, too; its curve starts there anew.')
        .argument('<dir>', 'the repository')
        .argument('<version>', 'the release')
        .requiredOption('--to <channel>', 'the channel that gets it'),
    ),
  )
    .option(
      '--curve <curve>',
      'how it spreads there: now; a time, as 24h or 7d; or a file with points',
      '24h',
    )
    .option('--json', 'print the releases as JSON')
    .action(
      async (
        directory: string,
        version: string,
        flags: Flags & { readonly to: string; readonly curve: string },
      ) => {
        const changed = await promoteRelease(directory, await openKeys(flags), choiceOf(version, flags), {
          channel: flags.to,
          curve: await curveOf(flags.curve),
        });
        report(changed, flags, `is on ${flags.to}, too`);
      },
    );
}

function report({ entries, stranded, publication }: Changed, flags: Flags, what: string): void {
  if (flags.json === true) {
    const value = { format: '1.0', releases: entries, stranded, publication };
    return void process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }
  for (const { image, version, architecture } of entries)
    process.stdout.write(`${image} ${version} (${architecture}) ${what}.\n`);
  for (const { version, channel, newest } of stranded)
    process.stderr.write(
      `warning: on ${channel}, ${version === '0' ? 'the oldest machines' : `machines on ${version}`} cannot get to ${newest} any more\n`,
    );
  process.stdout.write(`${publicationText(publication)}\n`);
}
