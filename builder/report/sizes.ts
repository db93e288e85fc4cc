/** What an image's bytes are for. */
import { sourceSize } from '../tree/deduplicate.ts';
import type { TreeEntry } from '../tree/entry.ts';

export interface ComponentSize {
  /** `kernel`, `modules`, `host`, `slipway`, `service:<name>`. */
  readonly component: string;
  readonly files: number;
  /** Bytes of its files; what several components share counts for the first that holds it. */
  readonly sizeBytes: number;
}

/** Sizes by component, largest first. `entries` are deduplicated. */
export function componentSizes(entries: readonly TreeEntry[]): ComponentSize[] {
  const sizes = new Map<string, { files: number; sizeBytes: number }>();
  for (const entry of entries) {
    if (entry.type !== 'file' && entry.type !== 'hardlink') continue;
    const size = sizes.get(entry.component) ?? { files: 0, sizeBytes: 0 };
    size.files += 1;
    if (entry.type === 'file') size.sizeBytes += sourceSize(entry.source);
    sizes.set(entry.component, size);
  }
  return [...sizes]
    .map(([component, size]) => ({ component, ...size }))
    .sort((a, b) => b.sizeBytes - a.sizeBytes || (a.component < b.component ? -1 : 1));
}

/** Decimal megabytes, as downloads are counted. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`;
}
