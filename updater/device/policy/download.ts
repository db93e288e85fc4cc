/** Whether a download of this kind may be made: a flaky delta never becomes a full image over a costly network in silence (failure 2). */
import type { DownloadKind } from '../apply/facts.ts';
import { fullDownloadPolicy, type UpdateSettings } from '../../../spec/update.ts';

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
