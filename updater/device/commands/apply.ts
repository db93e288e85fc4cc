/** `apply`: the newest version for this machine, now, whatever the clock and the curve say. */
import { SlipwayError } from '../../../spec/error.ts';
import { compareVersions } from '../../../spec/version.ts';
import type { Parsed } from '../../../system/arguments.ts';
import { explainBundle, openBundle } from '../bundle.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { explainVerdict } from '../explain.ts';
import { followSoon } from '../follow-memory.ts';
import { addHistory } from '../history.ts';
import { install } from '../install.ts';
import { withUpdateLock } from '../lock.ts';
import { lookFresh, type Look } from '../look.ts';
import { checkDownload, checkRequirements, describeDownload, readOffer } from '../offer.ts';
import { judge, type Candidate } from '../policy/decide.ts';
import { createProgress } from '../progress.ts';
import { configuredMirrors, openFetcher } from '../repository.ts';

export const applyCommand: Command = {
  name: 'apply',
  synopsis: '[--version V] [--yes-full] [--no-reboot | --download-only] [--bundle PATH]',
  summary: 'installs a newer version, switches to it and restarts the machine',
  details:
    'Started again after an interruption it goes on where it was. A version that failed here, or is held, is taken when it is named.',
  flags: [
    { name: 'version', value: true, help: 'this one, not the newest' },
    { name: 'yes-full', value: false, help: 'also when no delta fits' },
    { name: 'no-reboot', value: false, help: 'switches, and leaves the restart to you' },
    { name: 'download-only', value: false, help: 'brings it to the other slot, and does not switch' },
    { name: 'bundle', value: true, help: 'from a bundle on this machine, not from the network' },
  ],
  words: [0, 0],
  run: (context, parsed) => withUpdateLock(context.system, () => apply(context, parsed)),
};

async function apply(context: Context, parsed: Parsed): Promise<number> {
  const { system, parts, output, running } = context;
  const bundle = parsed.flags.get('bundle');
  const fetcher =
    bundle === undefined ? openFetcher(context, configuredMirrors(context)) : openBundle(context, bundle);
  const lookNow = async (): Promise<Look> => {
    try {
      return await lookFresh(context, fetcher);
    } catch (error) {
      throw bundle === undefined ? error : await explainBundle(context, fetcher, error);
    }
  };
  const look = await lookNow();
  const candidate = choose(context, look, parsed.flags.get('version'));
  if (candidate === undefined) return nothing(context, look);
  const offer = await readOffer(context, fetcher, look.metadata, candidate);
  const { manifest, download } = offer;
  const { version } = manifest;
  const phase = await parts.nextPhase(system, manifest);
  checkRequirements(offer);
  if (phase === 'prepare') {
    checkDownload(context, offer, parsed.flags.has('yes-full'));
    output.note(`${running.version} -> ${version}: ${describeDownload(download)}`);
  }
  const progress = createProgress(system, output, { version, terminal: context.terminal });
  const done = { from: running.version, version, kind: download.kind };
  try {
    const ready = await install(context, fetcher, manifest, progress, {
      fullConfirmed: parsed.flags.has('yes-full'),
    });
    const receivedBytes = fetcher.receivedBytes();
    if (parsed.flags.has('download-only')) {
      progress.clear();
      output.result(`${version} lies ready; slip update apply switches to it`, {
        ...done,
        outcome: 'installed',
        receivedBytes,
      });
      return 0;
    }
    context.checkInterrupted();
    // It may have been withdrawn meanwhile.
    choose(context, await lookNow(), version);
    progress.phase('switch');
    if (ready === 'switch') {
      await parts.switchTo(system, manifest);
      addHistory(system, {
        at: Math.floor(system.wallClockMs() / 1000),
        event: 'switched',
        version,
        from: running.version,
      });
    }
    progress.clear();
    const stay = parsed.flags.has('no-reboot');
    output.result(stay ? `the next start of the machine tries ${version}` : `restarting into ${version}`, {
      ...done,
      outcome: 'switched',
      receivedBytes,
      reboot: !stay,
    });
    if (!stay) parts.reboot(system);
    return 0;
  } finally {
    progress.end();
    followSoon(system);
  }
}

/** The one that is named, as far as nothing signed speaks against it; else the newest that only the time speaks against. */
function choose({ running }: Context, { view }: Look, named: string | undefined): Candidate | undefined {
  const { facts, decision } = view;
  if (view.timestampExpired)
    throw new SlipwayError(
      'update.expired',
      'the metadata of the repository have expired: nothing new starts on their word',
      {
        hint: 'the repository has to be refreshed (slipway repo refresh)',
      },
    );
  if (named === undefined) return decision.offered;
  if (compareVersions(named, running.version) === 0)
    throw new SlipwayError('update.not-newer', `${named} is what runs`);
  const entry = facts.entries.find(({ version }) => version === named);
  if (entry === undefined)
    throw new SlipwayError(
      'update.no-such-version',
      `channel ${facts.channel} has no version ${named} for this machine`,
      {
        hint: `it has: ${
          facts.entries
            .slice(0, 8)
            .map(({ version }) => version)
            .join(', ') || 'none'
        }`,
      },
    );
  const candidate = judge({ ...facts, failed: [], holds: [] }, entry);
  const { kind } = candidate.verdict;
  if (kind === 'due' || kind === 'later' || kind === 'no-brake') return candidate;
  throw new SlipwayError('update.refused', `${named}: ${explainVerdict(candidate.verdict, facts.now)}`, {
    ...(kind === 'not-newer' ? { hint: 'slip update rollback returns to the version from before' } : {}),
  });
}

function nothing({ output, running }: Context, { view }: Look): number {
  const { candidates } = view.decision;
  const others = candidates.map(
    (one) => `\n${one.entry.version}: ${explainVerdict(one.verdict, view.facts.now)}`,
  );
  output.result(`${running.version} is the newest version for this machine${others.join('')}`, {
    outcome: 'up-to-date',
    from: running.version,
    passedOver: candidates.map((one) => ({ version: one.entry.version, ...one.verdict })),
  });
  return 0;
}
