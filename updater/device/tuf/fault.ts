/** What can be wrong with metadata, told from tuf-js's errors. */
import { BadVersionError, EqualVersionError, ExpiredMetadataError } from 'tuf-js/dist/error.js';
import { SlipwayError } from '../../../spec/error.ts';

export type MetadataFault =
  /** A document that should be there is not (yet): publishing is under way, or a mirror is behind. */
  | 'metadata.try-later'
  /** Its time is over, and nothing newer is offered: a repository that is not kept up, or a frozen one. */
  | 'metadata.expired'
  /** Older than what was seen before. */
  | 'metadata.rollback'
  /** Not signed as it must be, not what another document says of it, or no metadata at all. */
  | 'metadata.invalid';

const HINTS: Record<MetadataFault, string> = {
  'metadata.try-later': 'try again later; on the publishing side, slipway repo verify tells what is missing',
  'metadata.expired':
    'the repository has to be refreshed (slipway repo refresh); when it was, look at this machine’s clock',
  'metadata.rollback': 'a mirror is behind, or serves old metadata on purpose; nothing was changed',
  'metadata.invalid': 'the mirror, or somebody between, changed it; nothing was changed',
};

export function metadataFault(fault: MetadataFault, message: string, cause?: unknown): SlipwayError {
  return new SlipwayError(fault, message, { hint: HINTS[fault], ...(cause === undefined ? {} : { cause }) });
}

export function describeFault(document: string, error: unknown): SlipwayError {
  if (error instanceof SlipwayError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  const fault: MetadataFault =
    error instanceof ExpiredMetadataError
      ? 'metadata.expired'
      : error instanceof BadVersionError || detail.startsWith('Missing file ')
        ? 'metadata.rollback'
        : 'metadata.invalid';
  return metadataFault(fault, `${document}: ${detail}`, error);
}

/** Nothing new: not an error. */
export function isSameVersion(error: unknown): boolean {
  return error instanceof EqualVersionError;
}

export function isMetadataFault(error: unknown): error is SlipwayError & { readonly code: MetadataFault } {
  return error instanceof SlipwayError && Object.hasOwn(HINTS, error.code);
}
