/** The disk of a new machine, from a build's parts. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { ImageDefinition } from '../../spec/image.ts';
import { signPe } from '../authenticode/sign.ts';
import { temporaryName } from '../cache/directory.ts';
import { makeDisk } from '../disk/disk.ts';
import { espFiles, ukiFileName } from '../esp/files.ts';
import type { KeySet } from '../keys/load.ts';
import { makeState } from '../state/state.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import { fileDigest } from './artifacts.ts';

export interface DiskParts {
  readonly image: ImageDefinition;
  readonly keySet: KeySet;
  /** systemd-boot, not yet signed. */
  readonly bootLoader: Uint8Array;
  /** Signed. */
  readonly uki: Uint8Array;
  readonly rootPath: string;
  readonly verityPath: string;
  readonly rootHash: string;
  readonly epoch: number;
  readonly toolbox: Toolbox;
  readonly output: string;
}

/** What a disk image holds; everything else in it follows from layout 1 (spec/layout.ts) and is zero. */
export interface DiskContent {
  readonly espFiles: readonly { readonly path: string; readonly sha256: string }[];
  readonly rootSha256: string;
  readonly veritySha256: string;
  /** The empty state file system. */
  readonly stateSha256: string;
}

/** @returns digests of what it wrote: hashing 3.5 GB of mostly holes would take longer than the whole build. */
export async function writeDisk(parts: DiskParts): Promise<DiskContent> {
  const { image, toolbox, epoch, output } = parts;
  const identity = `${image.name} ${image.version} ${parts.rootHash}`;
  const state = temporaryName(output);
  try {
    await makeState(state, { toolbox, sizeBytes: image.disk.stateSizeBytes, identity, epoch });
    const esp = espFiles({
      architecture: image.architecture,
      bootLoader: await signPe(parts.bootLoader, parts.keySet.signer),
      uki: { fileName: ukiFileName(image.name, image.version), bytes: parts.uki },
      enrolment: { mode: 'if-safe', keys: parts.keySet },
    });
    await makeDisk(
      {
        architecture: image.architecture,
        identity,
        esp,
        root: parts.rootPath,
        verity: parts.verityPath,
        state,
      },
      output,
      { toolbox, sectorSize: image.disk.sectorSize, epoch },
    );
    const [rootSha256, veritySha256, stateSha256] = await Promise.all(
      [parts.rootPath, parts.verityPath, state].map(fileDigest),
    );
    return {
      espFiles: esp.map(({ path, bytes }) => ({
        path,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      })),
      rootSha256: rootSha256 ?? '',
      veritySha256: veritySha256 ?? '',
      stateSha256: stateSha256 ?? '',
    };
  } finally {
    await rm(state, { force: true });
  }
}
