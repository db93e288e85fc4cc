/** A look at the repository: fresh metadata, or the stored ones, and what they mean here. */
import { SlipwayError } from '../../spec/error.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import { followRecord } from './history.ts';
import { configuredMirrors, openFetcher, refresh, stored, view, type View } from './repository.ts';
import type { UpdateRecord } from './switch/record-content.ts';
import type { TrustedMetadata } from './tuf/contents.ts';

export interface Look {
  readonly metadata: TrustedMetadata;
  readonly view: View;
  readonly record: UpdateRecord;
  /** Why these are the stored ones, where fresh ones were wanted. */
  readonly stale: SlipwayError | undefined;
}

/** Throws what hinders fresh metadata. */
export async function lookFresh(context: Context, fetcher: Fetcher): Promise<Look> {
  return seen(context, await refresh(context, fetcher), undefined);
}

/** Fresh, else stored. Throws what hinders the first where there is nothing of the second. */
export async function lookAnyhow(context: Context, fetcher: Fetcher | undefined): Promise<Look> {
  try {
    return await lookFresh(context, fetcher ?? openFetcher(context, configuredMirrors(context)));
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const metadata = await stored(context);
    if (metadata === undefined) throw error;
    return seen(context, metadata, error);
  }
}

async function seen(
  context: Context,
  metadata: TrustedMetadata,
  stale: SlipwayError | undefined,
): Promise<Look> {
  const record = await context.parts.readRecord(context.system);
  followRecord(context.system, record);
  return { metadata, view: view(context, metadata, record), record, stale };
}
