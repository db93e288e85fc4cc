/** What a download must turn out to be. */
export interface Expected {
  readonly sha256: string;
  readonly sizeBytes: number;
}
