/**
 * What no payload may exceed, whoever wrote it: the parser refuses it, the generator makes none (docs/payload-format.md, "Limits"). They bound what a
 * machine needs to apply an operation, whatever the image's size: window + patch + result, 9 MiB in all.
 */

const KIB = 1024;
const MIB = 1024 * KIB;

export const LIMITS = {
  /** The whole header. */
  headerBytes: MIB,
  operations: 8192,
  /** Of the image that is made, and of the one it is made from: 2^40. */
  imageBytes: 1024 * 1024 * MIB,
  /** What one FULL or PATCH operation makes. ZERO and COPY are as long as they like: they need no memory. */
  resultBytes: 2 * MIB,
  /** Old bytes that one PATCH is made against, all extents together. */
  windowBytes: 4 * MIB,
  /** Extents of one PATCH. */
  extents: 16,
  /** A PATCH after decompression. */
  patchBytes: 3 * MIB,
  /** Steps of one PATCH: four numbers each are held in memory. */
  steps: 65536,
  /** A blob as it is stored: what zstd makes at most of a FULL or PATCH that it cannot compress. */
  storedBytes: 3 * MIB + 64 * KIB,
  /** Units in which extents are counted: powers of two up to this. */
  blockBytes: 4096,
} as const;
