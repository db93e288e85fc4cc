/** `slipway repo refresh|verify|gc`: what timers and careful people run. */
import { Command, InvalidArgumentError } from 'commander';
import { SlipwayError } from '../spec/error.ts';
import { collectGarbage, DEFAULT_GRACE_SECONDS, type Collected } from '../updater/repository/gc/gc.ts';
import { parseSeconds } from '../updater/repository/release/curve-text.ts';
import { payloadTools } from '../updater/repository/release/payload-tools.ts';
import { payloadToolbox } from '../updater/repository/release/toolbox.ts';
import type { Expiry } from '../updater/repository/repository/expiry.ts';
import { checkExpiry, refreshRepository } from '../updater/repository/repository/refresh.ts';
import { verifyRepository } from '../updater/repository/verify/verify.ts';
import { bytesText } from './bytes-text.ts';
import { openKeys, publicationText, withKeys, type KeyFlags } from './repository-keys.ts';
import { trustedRoot, withRoot, type RootFlags } from './repository-root.ts';
import { table } from './table.ts';

export function refreshCommand(): Command {
  return withKeys(
    new Command('refresh')
      .description(
        'Signs the timestamp anew, and whatever else needs it: once a day, by a timer. Exit code 3 when something expires soon that it could not sign, 1 when it has.',
      )
      .argument('<dir>', 'the repository'),
  )
    .option('--check', 'sign nothing, only tell')
    .option('--json', 'print what was signed, and what expires when, as JSON')
    .action(async (directory: string, flags: KeyFlags & { readonly check?: true; readonly json?: true }) => {
      const keys = await openKeys(flags);
      const { publication, expiries } =
        flags.check === true
          ? { publication: undefined, expiries: await checkExpiry(directory, keys) }
          : await refreshRepository(directory, keys);
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ format: '1.0', publication, expiries }, undefined, 2)}\n`
          : `${publication === undefined ? '' : `${publicationText(publication)}\n`}${table(['role', 'expires', ''], expiries.map(expiryRow))}\n`,
      );
      warn(expiries, flags.json === true);
    });
}

export function verifyCommand(): Command {
  return withRoot(
    new Command('verify')
      .description(
        'Checks a repository as machines would: signatures, every file, every payload applied, and a way from every version to the newest.',
      )
      .argument('<dir>', 'the repository'),
  )
    .option('--files', 'apply no payload: only whether all files are there and whole')
    .option('--json', 'print the result as JSON')
    .action(async (directory: string, flags: RootFlags & { readonly files?: true; readonly json?: true }) => {
      const clear = process.stderr.isTTY ? '\r\x1b[K' : '';
      const result = await verifyRepository(directory, {
        root: await trustedRoot(directory, flags),
        tools: payloadTools(await payloadToolbox(directory)),
        depth: flags.files === true ? 'files' : 'payloads',
        progress: (what, done, total) => {
          if (clear !== '')
            process.stderr.write(`${clear}  ${done} of ${total}  ${what}`.slice(0, process.stderr.columns));
        },
      });
      process.stderr.write(clear);
      if (flags.json === true)
        process.stdout.write(`${JSON.stringify({ format: '1.0', ...result }, undefined, 2)}\n`);
      else
        process.stdout.write(
          `${result.releases} releases, ${result.files} files, ${result.applied} payloads applied` +
            `${result.unappliable === 0 ? '' : `, ${result.unappliable} deltas from releases that are gone not applied`}\n`,
        );
      if (result.problems.length === 0) return;
      if (flags.json === true) throw new SlipwayError('reported', 'the repository is not as it should be');
      throw new SlipwayError(
        'repository.damaged',
        `the repository is not as it should be:\n  ${result.problems.join('\n  ')}`,
      );
    });
}

interface CollectFlags extends KeyFlags {
  readonly keep?: number;
  readonly grace: number;
  readonly dryRun?: true;
  readonly json?: true;
}

export function gcCommand(): Command {
  return withKeys(
    new Command('gc')
      .description(
        'Removes files that nothing has referred to for a while; with --keep, old releases, too. No machine loses what it is fetching.',
      )
      .argument('<dir>', 'the repository'),
  )
    .option(
      '--keep <n>',
      'drop releases but the newest so many of each image (needs the targets keys); barriers stay',
      number,
    )
    .option(
      '--grace <time>',
      'files stay for so long after the last reference to them was gone',
      duration,
      DEFAULT_GRACE_SECONDS,
    )
    .option('--dry-run', 'only tell what would go')
    .option('--json', 'print what went and what waits as JSON')
    .action(async (directory: string, flags: CollectFlags) => {
      const collected = await collectGarbage(directory, await openKeys(flags), {
        graceSeconds: flags.grace,
        mode: flags.dryRun === true ? 'plan' : 'remove',
        ...(flags.keep === undefined ? {} : { keep: flags.keep }),
      });
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ format: '1.0', ...collected }, undefined, 2)}\n`
          : collectedText(collected, flags),
      );
    });
}

function collectedText(
  { dropped, removed, waiting, publication }: Collected,
  { dryRun }: CollectFlags,
): string {
  const sum = (files: readonly { readonly sizeBytes: number }[]): string =>
    `${files.length} files, ${bytesText(files.reduce((total, { sizeBytes }) => total + sizeBytes, 0))}`;
  const would = dryRun === true ? 'would be ' : '';
  return [
    ...dropped.map(
      ({ image, version, architecture }) => `${image} ${version} (${architecture}) ${would}dropped`,
    ),
    `${would}removed: ${sum(removed)}`,
    `waiting for their time: ${sum(waiting)}`,
    ...(publication === undefined ? [] : [publicationText(publication)]),
    '',
  ].join('\n');
}

function expiryRow({ role, expires, state }: Expiry): readonly string[] {
  const note = { valid: '', soon: 'soon', expired: 'EXPIRED' }[state];
  return [role, expires.toISOString().slice(0, 16).replace('T', ' '), note];
}

/** What cannot be signed here must be signed by somebody: monitoring hears of it by the exit code. */
function warn(expiries: readonly Expiry[], json: boolean): void {
  const worrying = expiries.filter(({ state }) => state !== 'valid');
  if (worrying.length === 0) return;
  const message = worrying
    .map(
      ({ role, expires, state }) =>
        `${role} ${state === 'expired' ? 'expired' : 'expires'} ${expires.toISOString()}`,
    )
    .join('; ');
  const code = worrying.some(({ state }) => state === 'expired')
    ? { json: 'reported', text: 'repository.expired' }
    : { json: 'warning.reported', text: 'warning.expires' };
  throw new SlipwayError(json ? code.json : code.text, message, {
    hint: worrying.some(({ role }) => role === 'root')
      ? 'root: slipway keys renew, where its keys are; then slipway repo refresh'
      : 'run slipway repo refresh where the keys of these roles are',
  });
}

function number(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a number, at least 1.');
}

function duration(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds !== undefined) return seconds;
  throw new InvalidArgumentError('It is a time, like 7d or 12h.');
}
