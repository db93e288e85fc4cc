/** The table of `npm run bench -- update`: each measure beside its goal. */
import type { UpdateResult } from './update.ts';

interface Row {
  readonly what: string;
  readonly value: string;
  readonly goal: string;
}

/** `reference` has goals; other images are told beside it. */
export function updateRows(results: readonly UpdateResult[]): Row[] {
  return results.flatMap((result) => {
    const { pair, root, uki, peers } = result;
    const isGoal = result.image === 'reference' && pair === 'security round';
    const row = (what: string, value: string, goal = ''): Row => ({ what: `${pair}: ${what}`, value, goal });
    const wire = root.deltaBytes + uki.deltaBytes;
    return [
      row('root delta', kilobytes(root.deltaBytes)),
      row('UKI delta', kilobytes(uki.deltaBytes)),
      row(
        'both',
        kilobytes(wire),
        pair === 'one file' && result.image === 'reference' ? 'at most 64 kB, metadata included' : '',
      ),
      row('root, share of full', percent(root.deltaBytes / root.fullBytes), isGoal ? 'at most 1.2 %' : ''),
      ...peers.map(({ peer, sizeBytes }) => {
        const goal = !isGoal ? '' : peer === 'casync' ? 'at most 0.1' : 'at most 0.5';
        return row(
          `root, times ${peer} (${kilobytes(sizeBytes)})`,
          (root.deltaBytes / sizeBytes).toFixed(3),
          goal,
        );
      }),
      row(
        'making, time',
        `${seconds(root.making.ms)}, processor ${seconds(root.making.cpuMs)}`,
        isGoal ? 'under 30 s' : '',
      ),
      row(
        'making, peak memory',
        `${(root.making.peakBytes / 1e6).toFixed(0)} MB`,
        isGoal ? 'under 1000 MB' : '',
      ),
    ];
  });
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;
