/** `slipway release pause|slow|resume`: the brake of a channel, which an online key signs. */
import { Command } from 'commander';
import { SlipwayError } from '../spec/error.ts';
import { changeBrake, type BrakeRequest } from '../updater/repository/release/brake.ts';
import { curveOf } from '../updater/repository/release/curve-text.ts';
import type { TufKeys } from '../updater/repository/keys/load.ts';
import { choiceOf, withChoice, type ChoiceFlags } from './release-choice.ts';
import { openKeys, publicationText, withKeys, type KeyFlags } from './repository-keys.ts';

interface Flags extends KeyFlags, ChoiceFlags {
  readonly channel?: string;
  readonly all?: true;
  readonly json?: true;
}

export function pauseCommand(): Command {
  return brakeCommand(
    'pause',
    'Lets no further machine have a release, or all of a channel’s. Machines hear it at their next poll.',
  )
    .argument('[version]', 'the release')
    .option('--all', 'everything on the channel, and what comes there later')
    .requiredOption('--reason <text>', 'why; machines tell it')
    .action((directory: string, version: string | undefined, flags: Flags & { readonly reason: string }) =>
      change(directory, flags, () => ({ do: 'pause', which: whichOf(version, flags), reason: flags.reason })),
    );
}

export function slowCommand(): Command {
  return brakeCommand(
    'slow',
    'Lets the machines that do not have a release yet have it more slowly; it never hastens.',
  )
    .argument('<version>', 'the release')
    .requiredOption(
      '--curve <curve>',
      'how it spreads over the rest of them, from now on: a time, as 24h or 7d; or a file with points',
    )
    .action((directory: string, version: string, flags: Flags & { readonly curve: string }) =>
      change(directory, flags, async () => ({
        do: 'slow',
        which: choiceOf(version, flags),
        curve: await curveOf(flags.curve),
      })),
    );
}

export function resumeCommand(): Command {
  return brakeCommand('resume', 'Lets a release go on from where it was stopped, as fast as its own curve.')
    .argument('[version]', 'the release')
    .option('--all', 'everything on the channel')
    .option('--at-once', 'take the brake off altogether: whoever would be due without it, is due now')
    .action((directory: string, version: string | undefined, flags: Flags & { readonly atOnce?: true }) =>
      change(directory, flags, () => ({
        do: 'resume',
        which: whichOf(version, flags),
        how: flags.atOnce === true ? 'drop' : 'go-on',
      })),
    );
}

function brakeCommand(name: string, description: string): Command {
  return withKeys(withChoice(new Command(name).description(description).argument('<dir>', 'the repository')))
    .option('--channel <name>', 'the channel (default: the only one there is)')
    .option('--json', 'print the brake as JSON');
}

async function change(
  directory: string,
  flags: Flags,
  request: () => BrakeRequest | Promise<BrakeRequest>,
): Promise<void> {
  const keys = await openKeys(flags);
  const channel = channelOf(flags, keys);
  const { brake, changed, publication } = await changeBrake(directory, keys, channel, await request());
  if (flags.json === true) {
    const value = { format: '1.0', channel, brake, changed, publication };
    return void process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
  }
  const lines = changed.map((name) => {
    const action = brake.releases[name];
    const what = name === '*' ? `everything on ${channel}` : name.replace(/^release_(.*)\.json$/, '$1');
    if (action === undefined) return `${what}: not held back any more`;
    if (action.action === 'slow') return `${what}: slowed down, goes on from now`;
    return `${what}: ${action.action === 'pause' ? 'paused' : 'withdrawn'} (${action.reason})`;
  });
  process.stdout.write(
    [...(lines.length === 0 ? ['nothing changed'] : lines), publicationText(publication), ''].join('\n'),
  );
}

function whichOf(version: string | undefined, flags: Flags): BrakeRequest['which'] {
  if (version !== undefined && flags.all !== true) return choiceOf(version, flags);
  if (version === undefined && flags.all === true) return 'all';
  throw new SlipwayError('usage.release', 'name a version, or --all');
}

function channelOf({ channel }: Flags, keys: TufKeys): string {
  if (channel !== undefined) return channel;
  const [only, ...others] = Object.keys(keys.channels);
  if (only !== undefined && others.length === 0) return only;
  throw new SlipwayError('usage.channel', 'there are several channels', {
    hint: `name one: --channel ${Object.keys(keys.channels).join('|')}`,
  });
}
