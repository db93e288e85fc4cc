/** `swap`: a file on the state partition. */
import type { MachineConfig } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import { hostPath, isBelow } from './paths.ts';
import type { Step, Verdict } from './step.ts';

const GB = 1024 ** 3;
const MIB = 1024 ** 2;
const LEAST_BYTES = MIB;

export function planSwap(
  { swap }: MachineConfig,
  facts: MachineFacts,
): { readonly steps: readonly Step[]; readonly verdicts: readonly Verdict[] } {
  if (swap === undefined) return { steps: [], verdicts: [] };
  const { at, path, sizeBytes, maxSizeBytes } = swap;
  const tell = (state: Verdict['state'], reason: string) => ({
    steps: [],
    verdicts: [{ key: 'swap', at, state, reason }],
  });
  const file = hostPath(path.value);
  if ('problem' in file || !isBelow(file.path, '/var'))
    return tell('failed', `${path.value}: a swap file lies below /var, for example /var/swap`);
  const most = Math.min(maxSizeBytes?.value ?? Infinity, facts.stateFreeBytes);
  const wanted =
    sizeBytes.value === 'auto'
      ? Math.min(suggestedBytes(facts.memoryBytes), maxSizeBytes?.value ?? facts.stateFreeBytes / 4)
      : Math.min(sizeBytes.value, maxSizeBytes?.value ?? Infinity);
  const size = Math.floor(wanted / MIB) * MIB;
  if (size < LEAST_BYTES)
    return sizeBytes.value === 0 || sizeBytes.value === 'auto'
      ? tell('applied', 'no swap is wanted, or there is no room for it')
      : tell('failed', 'a swap file has at least 1 MiB');
  if (size > most) return tell('failed', `the state partition has no ${Math.ceil(size / MIB)} MiB to spare`);
  return {
    steps: [{ key: 'swap', at, phase: 'state', kind: 'swap', device: file.path, sizeBytes: size }],
    verdicts: [],
  };
}

/** cloud-init's table (cc_mounts, suggested_swapsize). */
function suggestedBytes(memoryBytes: number): number {
  if (memoryBytes <= GB) return memoryBytes * 2;
  if (memoryBytes <= 2 * GB) return 2 * GB;
  if (memoryBytes <= 4 * GB) return memoryBytes;
  if (memoryBytes <= 16 * GB) return 4 * GB;
  return memoryBytes <= 64 * GB ? memoryBytes / 2 : 0;
}
