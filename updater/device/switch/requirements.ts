/** Whether this machine can run a release at all. Looked at before anything is fetched, and again just before the switch. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { distrust, type TrustedSigners } from './signature-list.ts';

export interface MachineFacts {
  /** What the firmware gave the kernel, which is somewhat less than what the machine has. */
  readonly memoryMiB: number;
  /** Of the disk; `undefined` where it does not say. */
  readonly layoutVersion: number | undefined;
  /** Of the data on the state partition; 0 where that is not known. */
  readonly stateVersion: number;
  /** The smaller of both slots. */
  readonly dataBytes: number;
  readonly treeBytes: number;
  /** `undefined`: Secure Boot is off. */
  readonly trusted: TrustedSigners | undefined;
}

export interface Unmet {
  readonly code: string;
  readonly message: string;
}

/** The firmware's own, video memory, and what the kernel's image took. */
const RESERVED_MIB = 48;
const BLOCK_BYTES = 4096;
const DIGESTS_PER_BLOCK = 128;

/** All that is in the way. Pure. */
export function unmetRequirements(manifest: ReleaseManifest, facts: MachineFacts): readonly Unmet[] {
  const { version } = manifest;
  const unmet: Unmet[] = [];
  const add = (code: string, message: string): void => void unmet.push({ code, message });
  if (facts.memoryMiB + RESERVED_MIB < manifest.minMemoryMiB)
    add(
      'memory',
      `${version} needs ${manifest.minMemoryMiB} MiB of memory to start, and this machine has ${facts.memoryMiB}`,
    );
  if (facts.layoutVersion !== undefined && !manifest.layoutVersions.includes(facts.layoutVersion))
    add('layout', `${version} does not fit disks of layout ${facts.layoutVersion}`);
  if (manifest.stateVersion < facts.stateVersion)
    add(
      'state',
      `${version} reads state of version ${manifest.stateVersion}, and this machine's is ${facts.stateVersion} already`,
    );
  if (manifest.root.sizeBytes > facts.dataBytes || treeBytes(manifest.root.sizeBytes) > facts.treeBytes)
    add('slot', `the root of ${version} is larger than this disk's slots`);
  const reason = facts.trusted === undefined ? undefined : distrust(manifest.uki.signer, facts.trusted);
  if (reason !== undefined) add('signer', `${version} would not start here: ${reason}`);
  return unmet;
}

/** Throws `switch.<code>` for the first that is not met. */
export function demandRequirements(manifest: ReleaseManifest, facts: MachineFacts): void {
  const [first] = unmetRequirements(manifest, facts);
  if (first !== undefined) throw new SlipwayError(`switch.${first.code}`, first.message);
}

/** Superblock, and every level down to the leaves. */
function treeBytes(dataBytes: number): number {
  let blocks = 1;
  for (let left = Math.ceil(dataBytes / BLOCK_BYTES); left > 1;) {
    left = Math.ceil(left / DIGESTS_PER_BLOCK);
    blocks += left;
  }
  return blocks * BLOCK_BYTES;
}
