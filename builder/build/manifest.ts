/** manifest.json: what a build made, for people, tools, and the updater. */
import type { LockedPackage } from '../lock/lock-file.ts';
import type { ComponentSize } from '../report/sizes.ts';
import type { DiskContent } from './disk.ts';

export interface Artifact {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface Manifest {
  /** Major: unknown ones are refused. Minor: unknown ones are ignored (decisions.md 22). */
  readonly format: '1.0';
  /** Features that a reader must know. */
  readonly requires: readonly string[];
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Seconds since 1970; the machine's clock is never earlier. */
  readonly epoch: number;
  readonly layoutVersions: readonly number[];
  /** What state the image reads and writes; going back below it is refused. */
  readonly stateVersion: number;
  readonly minMemoryMiB: number;
  readonly debug: boolean;
  readonly rootHash: string;
  readonly kernelRelease: string;
  readonly signer: { readonly subject: string; readonly sha256: string };
  readonly artifacts: readonly Artifact[];
  readonly disk: { readonly name: string; readonly sizeBytes: number } & DiskContent;
  readonly components: readonly ComponentSize[];
  /** What it was built with, and its releases' payloads are made with. */
  readonly tools: readonly LockedPackage[];
}
