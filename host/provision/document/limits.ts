/** Beyond these a document is refused, not read slowly. One of `YAML_LIMITS.fileBytes` at most is YAML. */
export const DOCUMENT_LIMITS = {
  /** Of one document, unpacked. */
  bytes: 1024 * 1024,
  /** Words and marks of one document's YAML: each costs up to a kilobyte while it is read. */
  lexemes: 20_000,
  /** Of all that gzip packed, unpacked. */
  unpackedBytes: 4 * 1024 * 1024,
  /** Documents within documents, and how deep. */
  parts: 100,
  depth: 6,
  /** Addresses in all `#include`s. */
  includes: 30,
} as const;
