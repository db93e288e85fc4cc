/** Whether a download of this kind may be made: a flaky delta never becomes a full image over a costly network in silence (failure 2). */
import { fullDownloadPolicy, type UpdateSettings } from '../../../spec/update.ts';

/** `blocks`: of the full image, only what no slot of this machine has. */
export type DownloadKind = 'delta' | 'blocks' | 'full';

export type DownloadAnswer = 'yes' | 'ask' | 'no';

/** `confirmed`: the operator said yes to a full download of this version. */
export function mayDownload(
  settings: UpdateSettings,
  kind: DownloadKind,
  confirmed: boolean,
): DownloadAnswer {
  if (kind === 'delta' || confirmed) return 'yes';
  const policy = fullDownloadPolicy(settings);
  return policy === 'always' ? 'yes' : policy === 'ask' ? 'ask' : 'no';
}
