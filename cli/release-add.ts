/** `slipway release add`: builds become releases. */
import { readFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { loadKeys } from '../builder/keys/load.ts';
import { SlipwayError } from '../spec/error.ts';
import { isImageVersion } from '../spec/version.ts';
import { MAX_NOTES_CHARACTERS } from '../updater/release/manifest.ts';
import type { TufKeys } from '../updater/repository/keys/load.ts';
import { addReleases, KEEP_DELTAS, type Added } from '../updater/repository/release/add.ts';
import { readBuild, type Build } from '../updater/repository/release/build.ts';
import { curveOf } from '../updater/repository/release/curve-text.ts';
import { openSecureBootChanges } from '../updater/repository/release/secure-boot.ts';
import type { PayloadReport } from '../updater/repository/release/payloads.ts';
import { openKeys, passphraseOf, publicationText, withKeys, type KeyFlags } from './repository-keys.ts';
import { bytesText } from './bytes-text.ts';
import { table } from './table.ts';

interface AddFlags extends KeyFlags {
  readonly channel?: readonly string[];
  readonly from: readonly string[];
  readonly deltas: number;
  readonly curve: string;
  readonly barrier: readonly string[];
  readonly minimumVersion?: string;
  readonly notes?: string;
  readonly revokes?: readonly string[];
  readonly trusts?: readonly string[];
  readonly exchangeKeys?: readonly string[];
  readonly withoutBrake: 'hold' | 'follow';
  readonly allowDebug?: true;
  readonly json?: true;
}

export function addCommand(): Command {
  return withKeys(
    new Command('add')
      .description(
        'Publishes builds: makes their payloads, signs them in, and makes machines see them, at once or not at all.',
      )
      .argument('<dir>', 'the repository')
      .argument('<build...>', 'output directories of: slipway build IMAGE'),
  )
    .option('--channel <names...>', 'channels that get it (default: the only one there is)')
    .option('--from <versions...>', 'make deltas from these versions, too', version, [])
    .option('--deltas <n>', 'make deltas from the newest so many releases', count, KEEP_DELTAS)
    .option(
      '--curve <curve>',
      'how it spreads: now; a time, as 24h or 7d; or a file with points [seconds or time, fraction]',
      '24h',
    )
    .option('--barrier <versions...>', 'no machine may skip these versions, new or old', version, [])
    .option('--minimum-version <version>', 'it can be reached from this version on only', oneVersion)
    .option('--notes <file>', 'what is new, in Markdown')
    .option('--revokes <certificates...>', 'leaves that it retires: certificate files; needs KEK.key')
    .option('--trusts <certificates...>', 'CAs that machines then trust, too (db); needs KEK.key')
    .option(
      '--exchange-keys <certificates...>',
      'keys that may then change what machines trust, too (KEK); needs PK.key',
    )
    .option(
      '--without-brake <what>',
      'what machines do when the channel’s brake has expired: hold or follow',
      holdOrFollow,
      'hold',
    )
    .option('--allow-debug', 'publish images that were built for laboratories, with the debug keys')
    .option('--json', 'print the releases with their payloads as JSON')
    .action(async (directory: string, directories: readonly string[], flags: AddFlags) => {
      const keys = await openKeys(flags);
      const builds = await readBuilds(directories, flags);
      const bar = payloadBar(flags.json === true);
      const added = await addReleases(directory, builds, keys, {
        channels: channelsOf(flags, keys),
        keep: flags.deltas,
        from: flags.from,
        curve: await curveOf(flags.curve),
        barriers: flags.barrier,
        ...(flags.minimumVersion === undefined ? {} : { minimumVersion: flags.minimumVersion }),
        notes: await notesOf(flags.notes),
        withoutBrake: flags.withoutBrake,
        secureBoot: await openSecureBootChanges(
          flags.keys,
          { KEK: flags.exchangeKeys ?? [], db: flags.trusts ?? [], dbx: flags.revokes ?? [] },
          passphraseOf(flags),
        ),
        report: bar.report,
      }).finally(() => bar.clear());
      process.stdout.write(flags.json === true ? json(added) : text(added, bar.reports));
    });
}

async function readBuilds(directories: readonly string[], flags: AddFlags): Promise<readonly Build[]> {
  const { sets } = await loadKeys(flags.keys, { passphrase: passphraseOf(flags) });
  const authorities = { release: sets.release.db.certificate, debug: sets.debug.db.certificate };
  const builds: Build[] = [];
  for (const directory of directories) builds.push(await readBuild(directory, authorities));
  const debug = builds.find((build) => build.debug);
  if (debug === undefined || flags.allowDebug === true) return builds;
  throw new SlipwayError(
    'release.debug',
    `${debug.directory} was built for laboratories: it is signed by the debug keys`,
    {
      hint: 'build it without --profile debug; or, for a laboratory’s own repository, add --allow-debug',
    },
  );
}

function channelsOf({ channel }: AddFlags, keys: TufKeys): readonly string[] {
  if (channel !== undefined) return channel;
  const all = Object.keys(keys.channels);
  if (all.length === 1) return all;
  throw new SlipwayError('usage.channel', 'there are several channels', {
    hint: `name some: --channel ${all.join(' ')}`,
  });
}

async function notesOf(path: string | undefined): Promise<string> {
  if (path === undefined) return '';
  const notes = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SlipwayError('usage.notes', `cannot read ${path}`, { cause });
  });
  if (notes.length <= MAX_NOTES_CHARACTERS) return notes;
  throw new SlipwayError(
    'usage.notes',
    `${path} has ${notes.length} characters; at most ${MAX_NOTES_CHARACTERS} are published`,
  );
}

/** On a terminal a bar, and a line for each payload everywhere. */
function payloadBar(quiet: boolean): {
  readonly report: (report: PayloadReport) => void;
  readonly clear: () => void;
  readonly reports: readonly PayloadReport[];
} {
  const reports: PayloadReport[] = [];
  const stream = process.stderr;
  const clear = (): void => {
    if (stream.isTTY) stream.write('\r\x1b[K');
  };
  return {
    reports,
    clear,
    report: (report) => {
      reports.push(report);
      if (quiet && !stream.isTTY) return;
      clear();
      stream.write(`  ${describe(report)}\n`);
      if (!stream.isTTY || report.done === report.total) return;
      const full = Math.round((report.done / report.total) * 30);
      stream.write(
        `  [${'#'.repeat(full)}${'.'.repeat(30 - full)}] ${report.done} of ${report.total} payloads`,
      );
    },
  };
}

function describe({ release, kind, from, sizeBytes, fullBytes }: PayloadReport): string {
  const what = `${release} ${kind === 'root' ? 'root' : 'UKI'}`;
  if (from === undefined) return `${what}, full: ${bytesText(fullBytes)}`;
  if (sizeBytes === undefined) return `${what} from ${from}: no smaller than the full one, not published`;
  return `${what} from ${from}: ${bytesText(sizeBytes)}, ${share(sizeBytes, fullBytes)}`;
}

function share(sizeBytes: number, fullBytes: number): string {
  return `${((100 * sizeBytes) / fullBytes).toFixed(2)} % of the full one`;
}

function json({ releases, publication }: Added): string {
  const shown = releases.map(({ entry, manifest, status }) => ({ status, entry, manifest }));
  return `${JSON.stringify({ format: '1.0', releases: shown, publication }, undefined, 2)}\n`;
}

function text({ releases, publication }: Added, reports: readonly PayloadReport[]): string {
  const rows = reports.map(({ release, kind, from, sizeBytes, fullBytes }) => [
    release,
    kind === 'root' ? 'root' : 'UKI',
    from ?? 'nothing (full)',
    sizeBytes === undefined ? '-' : bytesText(sizeBytes),
    sizeBytes === undefined ? 'not published' : `${((100 * sizeBytes) / fullBytes).toFixed(2)} %`,
  ]);
  const unchanged = releases
    .filter(({ status }) => status === 'unchanged')
    .map(
      ({ entry }) => `${entry.image} ${entry.version} (${entry.architecture}) is published already, just so.`,
    );
  return [
    ...(rows.length === 0 ? [] : [table(['release', 'of', 'from', 'size', 'of full'], rows), '']),
    ...unchanged,
    ...releases
      .filter(({ status }) => status === 'added')
      .map(({ entry }) => {
        const channels = Object.keys(entry.channels).join(', ');
        return `${entry.image} ${entry.version} (${entry.architecture}) is on ${channels}.`;
      }),
    publicationText(publication),
    '',
  ].join('\n');
}

function version(text: string, previous: readonly string[]): readonly string[] {
  return [...previous, oneVersion(text)];
}

function oneVersion(text: string): string {
  if (isImageVersion(text)) return text;
  throw new InvalidArgumentError('It is no version of an image.');
}

function count(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a number from 0 to 99.');
}

function holdOrFollow(text: string): 'hold' | 'follow' {
  if (text === 'hold' || text === 'follow') return text;
  throw new InvalidArgumentError('It is hold or follow.');
}
