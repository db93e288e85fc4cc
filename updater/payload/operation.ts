/**
 * What a payload consists of: a header, then blobs. Applied in their order, the operations make the new image from its first byte to its last without a
 * gap; the format on the wire is told in docs/payload-format.md.
 */

/** Bytes `offset` to `offset + sizeBytes` of an image. */
export interface Extent {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** One zstd frame in the payload, independent of all others; fetchable by range. */
export interface Blob {
  /** From the payload's first byte. */
  readonly offset: number;
  readonly storedBytes: number;
  /** Of the stored bytes, 64 hexadecimal digits: checked before anything decompresses them. */
  readonly sha256: string;
  /** After decompression, exactly. */
  readonly contentBytes: number;
}

/** `target` is what an operation makes. */
interface Targeted {
  readonly target: Extent;
}

export interface ZeroOperation extends Targeted {
  readonly kind: 'zero';
}

/** As many bytes of the old image, from `sourceOffset` on. */
export interface CopyOperation extends Targeted {
  readonly kind: 'copy';
  readonly sourceOffset: number;
}

/** The blob's content is the result. */
export interface FullOperation extends Targeted {
  readonly kind: 'full';
  readonly blob: Blob;
}

/** The blob's content is a patch (patch.ts) against the extents of the old image, one after another. */
export interface PatchOperation extends Targeted {
  readonly kind: 'patch';
  readonly blob: Blob;
  readonly extents: readonly Extent[];
  /** Of what it makes. Tells a bad byte of the old image, which dm-verity would have found, too; the blob's digest has told everything else. */
  readonly resultSha256: string;
}

export type Operation = ZeroOperation | CopyOperation | FullOperation | PatchOperation;

export interface PayloadHeader {
  /** Extents are whole blocks of this size, but for an image's last one. */
  readonly blockBytes: number;
  /** Of the image that is made. */
  readonly targetBytes: number;
  /** Of the old image; 0 in a full payload, which needs none. */
  readonly sourceBytes: number;
  readonly operations: readonly Operation[];
  /** Where the blobs begin. */
  readonly headerBytes: number;
  /** Header and blobs together. */
  readonly payloadBytes: number;
}
