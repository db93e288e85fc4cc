/**
 * What a repository says of its releases: the shapes that its writer (Node) and the machines (QuickJS) share. The whole format, with the files
 * around these, is told in docs/repository-format.md. Each has its strict reader beside it: entry.ts, manifest.ts, brake.ts.
 *
 * ```
 * targets.json (TUF, offline keys)   targets: one `release_<image>_<version>_<architecture>.json` for each release, its ReleaseEntry in `custom.slipway`
 *   `-> the release manifest         ReleaseManifest: what it takes to install it, with the digests of all payloads
 *         `-> payload files          content-addressed: `<sha256>.payload`
 * rollout-<channel>.json (TUF, delegated, online key)   one target, `rollout/<channel>`, its Brake in `custom.slipway`; no file stands behind it
 * ```
 */
import type { Curve } from './curve.ts';
import type { Format } from './format.ts';

export type { Curve } from './curve.ts';
export type { Format } from './format.ts';
export { payloadName, releaseTargetName } from './names.ts';
export { rolloutRole, rolloutTarget } from './tuf-roles.ts';

/** In targets.json: what a machine must know of a release to judge whether it gets it, before it fetches anything else. */
export interface ReleaseEntry {
  readonly format: Format;
  /** Features that a reader must know; with an unknown one the release is not for it, and it takes a barrier's path instead (decisions.md 22). */
  readonly requires: readonly string[];
  readonly image: string;
  readonly version: string;
  readonly architecture: string;
  /** The channels that have it, each with its own curve: what was tried on one starts anew on the next (`slipway release promote`). */
  readonly channels: Readonly<Record<string, Rollout>>;
  /** Rises with each release of this image and architecture, also when a version is published anew after another. */
  readonly sequence: number;
  /** Every machine must pass through this version: none skips it on its way to a later one. */
  readonly barrier: boolean;
  /** It is not offered any more, for this reason. */
  readonly withdrawn?: string;
  /** Oldest version that it may be reached from directly; a machine on an older one takes a barrier before. */
  readonly minimumVersion?: string;
  /** What a machine does with the curve when the channel's brake has expired or is missing: waits, or follows the curve alone. */
  readonly withoutBrake: 'hold' | 'follow';
}

/** How a release spreads over the machines of a channel. */
export interface Rollout {
  /** Unix time in seconds at which the curve starts. */
  readonly startsAt: number;
  /** The fastest that it may spread: the brake can only slow it. */
  readonly curve: Curve;
}

/** A file that is fetched whole or in ranges; its name is `<sha256>.payload`. */
export interface PayloadReference {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Its header: the first so many bytes, with this digest, so that nothing in it is believed before it was checked (docs/payload-format.md). */
  readonly headerBytes: number;
  readonly headerSha256: string;
}

export interface DeltaReference extends PayloadReference {
  /** The version that the machine must run, with this content. */
  readonly from: string;
  /** Root: the root hash of that version. UKI: the SHA-256 of its file. */
  readonly fromHash: string;
}

/** Of the root file system. */
export interface RootContent {
  readonly sizeBytes: number;
  /** Of the file system's bytes, without their tree. */
  readonly sha256: string;
  /** 64 hexadecimal digits. */
  readonly rootHash: string;
  readonly salt: string;
  readonly full: PayloadReference;
  /** The verity leaf digest of each 4 KiB block, 32 bytes each, one after another: what a machine needs to find out which blocks it has. */
  readonly blockList: FileReference;
  readonly deltas: readonly DeltaReference[];
}

/** Of the unified kernel image. */
export interface UkiContent {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly full: PayloadReference;
  readonly deltas: readonly DeltaReference[];
  /** SHA-256 of the leaf certificate that signed it, of that certificate's to-be-signed part, and of the CA certificate that issued it. */
  readonly signer: { readonly leaf: string; readonly leafTbs: string; readonly issuer: string };
}

/** A small file that is fetched whole: the boot loader, a Secure Boot variable, a block list. Its name is `<sha256>.payload`. */
export interface FileReference {
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ReleaseManifest {
  readonly format: Format;
  readonly requires: readonly string[];
  readonly image: string;
  readonly version: string;
  readonly architecture: string;
  /** For people, in Markdown. */
  readonly notes: string;
  /** Unix time in seconds of the image's build. */
  readonly epoch: number;
  readonly stateVersion: number;
  readonly minMemoryMiB: number;
  readonly layoutVersions: readonly number[];
  readonly root: RootContent;
  readonly uki: UkiContent;
  /** systemd-boot, signed, for machines whose copies are others. */
  readonly loader?: FileReference & { readonly version: string };
  /** Signed additions (`.auth`, EFI_VARIABLE_APPEND_WRITE) to Secure Boot's variables, which are made after the release was committed. */
  readonly secureBoot?: readonly { readonly variable: 'KEK' | 'db' | 'dbx'; readonly auth: FileReference }[];
  /** SHA-256 of leaf certificates that this release retires (decisions.md 5). */
  readonly revokes?: readonly string[];
}

/** What an operator does to one release. */
export type BrakeAction =
  | {
      readonly action: 'pause' | 'withdraw';
      readonly reason: string;
      /** For who lets it go on: Unix time in seconds of the stop, and how many of a million were due by then. Machines do without. */
      readonly since?: number;
      readonly reached?: number;
    }
  /** At most this curve, from this Unix time in seconds on. */
  | { readonly action: 'slow'; readonly startsAt: number; readonly curve: Curve };

/** What the channel's operator (or fleet coordinator) holds back, signed with the online `rollout` key. It can only slow. */
export interface Brake {
  readonly format: Format;
  /** By the release's target name (`releaseTargetName`), or `*` for all of the channel; where both stand, both hold. */
  readonly releases: Readonly<Record<string, BrakeAction>>;
}
