/** `check`: what there is for this machine, and what it costs, before anything of it is fetched. */
import { formatTable } from '../../../system/format.ts';
import type { Command } from '../command.ts';
import { explainVerdict } from '../explain.ts';
import { lookFresh } from '../look.ts';
import { describeDownload, readOffer } from '../offer.ts';
import { configuredMirrors, openFetcher } from '../repository.ts';

export const checkCommand: Command = {
  name: 'check',
  synopsis: '',
  summary: 'looks for a newer version: what it is, and how large the download is',
  flags: [],
  words: [0, 0],
  run: async (context) => {
    const { running, output } = context;
    const fetcher = openFetcher(context, configuredMirrors(context));
    const { metadata, view, record } = await lookFresh(context, fetcher);
    const { offered, candidates } = view.decision;
    const now = view.facts.now;
    if (offered === undefined) {
      const others = candidates.map((one) => `\n${one.entry.version}: ${explainVerdict(one.verdict, now)}`);
      const text = `${running.version} is the newest version for this machine${others.join('')}`;
      output.result(text, {
        running: running.version,
        available: null,
        passedOver: candidates.map((one) => ({ version: one.entry.version, ...one.verdict })),
      });
      return 0;
    }
    const { manifest, download, unmet } = await readOffer(context, fetcher, metadata, offered);
    const { version } = manifest;
    const ready = record.attempt?.stage === 'installed' && record.attempt.version === version;
    const rows = [
      ['running', running.version],
      ['available', version],
      ['download', ready ? 'nothing: it lies ready' : describeDownload(download)],
      ['when', explainVerdict(offered.verdict, now)],
      ...unmet.map(({ message }, index) => [index === 0 ? 'but' : '', message]),
      ...manifest.notes
        .trim()
        .split('\n')
        .map((line, index) => [index === 0 ? 'notes' : '', printable(line)]),
    ];
    output.result(formatTable(rows), {
      running: running.version,
      available: version,
      download: { kind: download.kind, bytes: ready ? 0 : download.bytes },
      fullBytes: manifest.root.full.sizeBytes + manifest.uki.full.sizeBytes,
      verdict: offered.verdict,
      unmet,
      notes: manifest.notes,
    });
    return 0;
  },
};

/** Notes are signed, but a terminal does what control characters say. */
function printable(line: string): string {
  // eslint-disable-next-line no-control-regex
  return line.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
