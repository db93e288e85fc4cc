/** One attempt to get bytes of one file from one mirror. What goes wrong is a SlipwayError with one of these codes: */
export type FetchFault =
  /** The mirror has no such file. */
  | 'fetch.missing'
  /** It answered, but with something else. */
  | 'fetch.refused'
  /** It could not be reached, or the connection ended early. */
  | 'fetch.broken'
  /** Too slow. */
  | 'fetch.stalled';

export interface Connection {
  /** Some bytes as they come, from exactly where they were asked for; empty at the end. */
  readonly read: (maxBytes: number) => Promise<Uint8Array>;
  readonly close: () => Promise<void>;
}

/** Bytes `offset` to `endBytes` (exclusive) of a file; to its end without. */
export interface ByteRange {
  readonly offset: number;
  readonly endBytes?: number;
}

export type Connect = (base: string, name: string, range: ByteRange) => Promise<Connection>;
