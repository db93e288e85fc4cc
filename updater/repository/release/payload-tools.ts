/** What makes and applies payloads (updater/repository/delta), as far as a repository needs it. */
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import type { PayloadReference } from '../../release/document.ts';
import { applyPayload } from '../delta/apply.ts';
import { makeDelta } from '../delta/delta.ts';
import { makeFull } from '../delta/full.ts';

export type ImageKind = 'root' | 'uki';

export interface PayloadTools {
  /** Writes to `output`, a new file. */
  makeFull(kind: ImageKind, image: string, output: string): Promise<PayloadReference>;
  /** `undefined`, and no file, when it would not be smaller than `smallerThan` bytes. */
  makeDelta(
    kind: ImageKind,
    old: string,
    image: string,
    output: string,
    smallerThan: number,
  ): Promise<PayloadReference | undefined>;
  /** Makes the image again, as a machine would, into the new file `output`. A full payload needs no old image. */
  apply(payload: string, reference: PayloadReference, old: string | undefined, output: string): Promise<void>;
}

/** A root's file system has blocks of 4 KiB; the sections of a UKI lie by 512 bytes. */
const BLOCK_BYTES = { root: 4096, uki: 512 } as const;

/** `fullLevel`: zstd's, for full payloads; 19 unless told. */
export function payloadTools(
  toolbox: Pick<Toolbox, 'command'>,
  { fullLevel = 19 }: { readonly fullLevel?: number } = {},
): PayloadTools {
  return {
    makeFull: (kind, image, output) =>
      makeFull({ new: image, output, toolbox, blockBytes: BLOCK_BYTES[kind], level: fullLevel }),
    makeDelta: (kind, old, image, output, smallerThan) =>
      makeDelta({ old, new: image, output, toolbox, blockBytes: BLOCK_BYTES[kind], smallerThan }),
    apply: (payload, reference, old, output) =>
      applyPayload({ payload, reference, output, toolbox, ...(old === undefined ? {} : { old }) }),
  };
}
