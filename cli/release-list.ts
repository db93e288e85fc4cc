/** `slipway release list|show`. */
import { Command } from 'commander';
import { releaseTargetName } from '../updater/release/names.ts';
import { chooseReleases } from '../updater/repository/release/read.ts';
import { showReleases, type ShownChannel, type ShownRelease } from '../updater/repository/release/show.ts';
import { bytesText } from './bytes-text.ts';
import { choiceOf, withChoice, type ChoiceFlags } from './release-choice.ts';
import { openKeys, withKeys, type KeyFlags } from './repository-keys.ts';
import { table } from './table.ts';

interface Flags extends KeyFlags, ChoiceFlags {
  readonly json?: true;
}

export function listCommand(): Command {
  return withKeys(
    new Command('list')
      .description(
        'Lists the releases, newest first: on which channels, and how many of the machines may have them by now.',
      )
      .argument('<dir>', 'the repository'),
  )
    .option('--json', 'print JSON')
    .action(async (directory: string, flags: Flags) => {
      const releases = await showReleases(directory, await openKeys(flags));
      if (flags.json === true) return printJson(releases);
      const rows = releases.map(({ entry, manifest, channels }) => [
        entry.version,
        entry.image,
        entry.architecture,
        channels.map(channelText).join(', '),
        bytesText(manifest.root.full.sizeBytes + manifest.uki.full.sizeBytes),
        smallestDelta(manifest),
        [...(entry.barrier ? ['barrier'] : []), ...(entry.withdrawn === undefined ? [] : ['withdrawn'])].join(
          ', ',
        ),
      ]);
      process.stdout.write(
        rows.length === 0
          ? 'There is no release yet. Publish one: slipway release add\n'
          : `${table(['version', 'image', 'for', 'channels', 'full', 'delta', ''], rows)}\n`,
      );
    });
}

export function showCommand(): Command {
  return withKeys(
    withChoice(
      new Command('show')
        .description('Shows one release: its channels, notes, payloads, and what it takes to get there.')
        .argument('<dir>', 'the repository')
        .argument('<version>', 'the release'),
    ),
  )
    .option('--json', 'print JSON')
    .action(async (directory: string, version: string, flags: Flags) => {
      const all = await showReleases(directory, await openKeys(flags));
      const chosen = chooseReleases(
        all.map(({ entry }) => entry),
        choiceOf(version, flags),
      );
      const releases = all.filter(({ entry }) => chosen.includes(entry));
      if (flags.json === true) return printJson(releases);
      process.stdout.write(releases.map(showText).join('\n'));
    });
}

function showText({ entry, manifest, channels }: ShownRelease): string {
  const { root, uki } = manifest;
  const payloads = [
    ['root', 'nothing (full)', bytesText(root.full.sizeBytes)],
    ['UKI', 'nothing (full)', bytesText(uki.full.sizeBytes)],
    ...root.deltas.map(({ from, sizeBytes }) => ['root', from, bytesText(sizeBytes)]),
    ...uki.deltas.map(({ from, sizeBytes }) => ['UKI', from, bytesText(sizeBytes)]),
  ];
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['withdrawn', entry.withdrawn],
    ['channels', channels.map(channelText).join(', ')],
    ['barrier', entry.barrier ? 'no machine may skip it' : undefined],
    ['reached from', entry.minimumVersion === undefined ? undefined : `${entry.minimumVersion} or newer`],
    ['root hash', root.rootHash],
    ['UKI', uki.sha256],
    ['boot loader', manifest.loader?.version],
    ['memory', `${manifest.minMemoryMiB} MiB or more`],
    ['retires', manifest.revokes?.join(', ')],
    ['adds to', manifest.secureBoot?.map(({ variable }) => variable).join(', ')],
    ['manifest', releaseTargetName(entry)],
  ];
  return [
    `${entry.image} ${entry.version} (${entry.architecture})`,
    ...facts.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(13)}${value}`])),
    '',
    table(['of', 'from', 'size'], payloads),
    ...(manifest.notes === '' ? [] : ['', manifest.notes.trimEnd()]),
    '',
  ].join('\n');
}

function channelText({ channel, fraction, state, reason }: ShownChannel): string {
  const percent = `${(Math.floor(fraction * 1000) / 10).toFixed(fraction === 0 || fraction === 1 ? 0 : 1)} %`;
  if (state === 'due') return `${channel} ${percent}`;
  return `${channel} ${state === 'no-brake' ? 'waits for a brake' : state}${reason === undefined || reason === '' ? '' : ` (${reason})`}`;
}

/** Root and UKI together, from the version that is nearest. */
function smallestDelta({ root, uki }: ShownRelease['manifest']): string {
  const sums = root.deltas.flatMap(({ from, sizeBytes }) => {
    const other = uki.deltas.find((delta) => delta.from === from);
    return other === undefined ? [] : [{ from, sizeBytes: sizeBytes + other.sizeBytes }];
  });
  const [smallest] = sums.sort((a, b) => a.sizeBytes - b.sizeBytes);
  return smallest === undefined ? '-' : `${bytesText(smallest.sizeBytes)} from ${smallest.from}`;
}

function printJson(releases: readonly ShownRelease[]): void {
  process.stdout.write(`${JSON.stringify({ format: '1.0', releases }, undefined, 2)}\n`);
}
