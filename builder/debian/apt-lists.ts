/** `apt-get update` with a private state directory and configuration: it fetches and authenticates Debian's package indexes. */
import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Architecture } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import { cacheRoot, writeFileAtomic } from '../cache/directory.ts';
import { run } from '../process/run.ts';
import { DEBIAN_ARCHIVE_KEYS } from './keyring/debian-archive.ts';
import { mirrorsOf, type Mirrors } from './mirror.ts';
import { hostAcquireSettings, proxyEnvironment } from './transport.ts';

export interface AptOptions {
  readonly mirrors: Mirrors;
  readonly suites: readonly string[];
  /** `main` unless told. */
  readonly components?: readonly string[];
  readonly architecture: Architecture;
  /** Armored OpenPGP keys, instead of Debian's own. */
  readonly keys?: string;
}

/** Fetches the indexes anew. Returns the folder with apt's lists. Throws `debian.update-failed` without network or where a signature is wrong. */
export async function updateLists(options: AptOptions): Promise<string> {
  const configuration = await writeConfiguration(options);
  await update(configuration, options);
  return join(dirname(configuration), 'state', 'lists');
}

export function componentsOf({ components = ['main'] }: Pick<AptOptions, 'components'>): readonly string[] {
  return components;
}

/** One state directory for a set of sources, kept, so that an unchanged index is not fetched again. Returns its apt.conf. */
async function writeConfiguration(options: AptOptions): Promise<string> {
  const keys = options.keys ?? (await environmentKeys()) ?? DEBIAN_ARCHIVE_KEYS;
  const identity = createHash('sha256')
    .update(
      JSON.stringify([options.mirrors, options.suites, componentsOf(options), options.architecture, keys]),
    )
    .digest('hex');
  const directory = join(cacheRoot(), 'apt', identity.slice(0, 32));
  await mkdir(join(directory, 'state', 'lists', 'partial'), { recursive: true });
  await mkdir(join(directory, 'cache', 'archives', 'partial'), { recursive: true });
  const keyring = join(directory, 'keys.asc');
  await writeFileAtomic(keyring, keys);
  const sources = options.suites.flatMap((suite) =>
    mirrorsOf(options.mirrors, suite)
      .slice(0, 1)
      .map(
        (mirror) =>
          `deb [signed-by=${keyring}] ${copied(mirror)} ${suite} ${componentsOf(options).join(' ')}`,
      ),
  );
  const sourceList = join(directory, 'sources.list');
  await writeFileAtomic(sourceList, `${sources.join('\n')}\n`);
  const settings: Record<string, string> = {
    'Dir::Etc::Parts': '/dev/null',
    'Dir::Etc::Main': '/dev/null',
    'Dir::Etc::SourceList': sourceList,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State': join(directory, 'state'),
    'Dir::State::Status': '/dev/null',
    'Dir::Cache': join(directory, 'cache'),
    'APT::Architecture': options.architecture,
    // The cache may lie where apt's own user can't read.
    'APT::Sandbox::User': 'root',
    'APT::Update::Error-Mode': 'any',
    'Acquire::GzipIndexes': 'false',
    // The index is read here, not by apt.
    'pkgCacheFile::Generate': 'false',
  };
  const own = Object.entries(settings).map(([key, value]) => `${key} "${value}";`);
  const configuration = [
    ...(await hostAcquireSettings()),
    ...own,
    `APT::Architectures { "${options.architecture}"; };`,
    '#clear Acquire::Languages;',
    'Acquire::Languages { "none"; };',
  ];
  const path = join(directory, 'apt.conf');
  await writeFileAtomic(path, `${configuration.join('\n')}\n`);
  return path;
}

/** For mirrors that sign anew: a file with the armored keys to trust instead of Debian's. */
async function environmentKeys(): Promise<string | undefined> {
  const path = process.env['SLIPWAY_ARCHIVE_KEYS'];
  if (path === undefined || path === '') return undefined;
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new SlipwayError('debian.no-keys', `SLIPWAY_ARCHIVE_KEYS names ${path}, which cannot be read`, {
      cause,
    });
  }
}

/** apt would leave the index of a `file:` mirror where it is. */
function copied(mirror: string): string {
  return mirror.replace(/^file:/, 'copy:');
}

async function update(configuration: string, options: AptOptions): Promise<void> {
  const deadline = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      await run(['apt-get', 'update'], { environment: { APT_CONFIG: configuration, ...proxyEnvironment() } });
      return;
    } catch (cause) {
      const text = cause instanceof Error ? cause.message : String(cause);
      // Another process updates the same state; apt's lock ends with its process.
      if (/Could not get lock/.test(text) && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        continue;
      }
      throw new SlipwayError(
        'debian.update-failed',
        `the package index of ${options.suites.join(', ')} cannot be fetched:\n${complaints(text)}`,
        {
          hint: 'check the network and the mirror; an image with a lock and a full cache builds without either',
          cause,
        },
      );
    }
  }
}

const LOCK_WAIT_MS = 120_000;

/** apt's errors and warnings without its command line and the sentence that follows any of them. */
function complaints(text: string): string {
  const lines = text.split('\n').filter((line) => /^[EW]: (?!Some index files failed)/.test(line));
  return lines.length === 0 ? text : lines.map((line) => `  ${line.slice(3)}`).join('\n');
}
