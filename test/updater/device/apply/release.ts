/** Two small images with everything that real ones have between them, published as a release: payloads in a directory, and its manifest. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeVerity, type VerityInfo } from '../../../../builder/verity/verity.ts';
import type {
  DeltaReference,
  PayloadReference,
  ReleaseManifest,
} from '../../../../updater/release/document.ts';
import { makeDelta } from '../../../../updater/repository/delta/delta.ts';
import { makeFull } from '../../../../updater/repository/delta/full.ts';
import { lockedToolbox } from '../../../builder/locked-toolbox.ts';

export interface TestRelease {
  /** Of payloads and block list. */
  readonly repository: string;
  readonly manifest: ReleaseManifest;
  readonly old: {
    readonly root: string;
    readonly verity: string;
    readonly info: VerityInfo;
    readonly uki: string;
  };
  readonly new: {
    readonly root: string;
    readonly verity: string;
    readonly info: VerityInfo;
    readonly uki: string;
  };
}

const BLOCK = 4096;
const SALT = 'ab'.repeat(32);

/** `blocks` 4 KiB blocks, of which some percent differ in each of the ways that updates have. */
export function imagePair(blocks: number, seed = 1): { readonly old: Buffer; readonly new: Buffer } {
  const random = randomNumbers(seed);
  const old = Buffer.alloc(blocks * BLOCK);
  // Compressible, and no block like another.
  for (let offset = 0; offset < old.length; offset += 4)
    old.writeUInt32LE((random() & 0x0f0f0f0f) ^ ((offset >> 12) << 8), offset);
  old.fill(0, 40 * BLOCK, 60 * BLOCK);
  const next = Buffer.from(old);
  // Moved: later files lie elsewhere.
  old.copy(next, 300 * BLOCK, 200 * BLOCK, 290 * BLOCK);
  // Patched: a few bytes in blocks that stay otherwise.
  for (let block = 100; block < 180; block += 3)
    next.writeUInt32LE(random(), block * BLOCK + (random() % 4000));
  // Shifted by some bytes, as in a program compiled anew.
  old.copy(next, 500 * BLOCK + 24, 500 * BLOCK, 560 * BLOCK);
  // New, and zero.
  for (let offset = 600 * BLOCK; offset < 640 * BLOCK; offset += 4) next.writeUInt32LE(random(), offset);
  next.fill(0, 700 * BLOCK, 760 * BLOCK);
  return { old, new: next };
}

export async function makeRelease(
  directory: string,
  options: {
    readonly blocks?: number;
    readonly images?: { readonly old: string; readonly new: string };
    /** Making them takes as long as the images are large. */ readonly deltas?: 'none';
  } = {},
): Promise<TestRelease> {
  const toolbox = await lockedToolbox();
  const repository = join(directory, 'repository');
  mkdirSync(repository, { recursive: true });
  const at = (name: string): string => join(directory, name);
  if (options.images === undefined) {
    const pair = imagePair(options.blocks ?? 800);
    writeFileSync(at('old.root'), pair.old);
    writeFileSync(at('new.root'), pair.new);
  }
  const roots = options.images ?? { old: at('old.root'), new: at('new.root') };
  const ukis = { old: at('old.efi'), new: at('new.efi') };
  const uki = imagePair(770, 7);
  writeFileSync(ukis.old, uki.old.subarray(0, uki.old.length - 700));
  writeFileSync(ukis.new, uki.new.subarray(0, uki.new.length - 100));
  const info = {
    old: await makeVerity(roots.old, at('old.verity'), { toolbox, salt: SALT }),
    new: await makeVerity(roots.new, at('new.verity'), { toolbox, salt: SALT }),
  };
  const full = (path: string, blockBytes: 512 | 4096): Promise<PayloadReference> =>
    publishPayload(repository, (output) => makeFull({ new: path, output, toolbox, blockBytes }));
  const delta = async (
    pair: { old: string; new: string },
    blockBytes: 512 | 4096,
    fromHash: string,
  ): Promise<DeltaReference[]> => {
    if (options.deltas === 'none') return [];
    const reference = await publishPayload(repository, async (output) => {
      const made = await makeDelta({ ...pair, output, toolbox, blockBytes });
      if (made === undefined) throw new Error('there is no delta');
      return made;
    });
    return [{ ...reference, from: '1.0.0', fromHash }];
  };
  const list = leaves(at('new.verity'), info.new.dataBlocks);
  const blockList = { sha256: sha256(list), sizeBytes: list.length };
  writeFileSync(join(repository, `${blockList.sha256}.payload`), list);
  return {
    repository,
    old: { root: roots.old, verity: at('old.verity'), info: info.old, uki: ukis.old },
    new: { root: roots.new, verity: at('new.verity'), info: info.new, uki: ukis.new },
    manifest: {
      format: '1.0',
      requires: [],
      image: 'test',
      version: '2.0.0',
      architecture: 'amd64',
      notes: '',
      epoch: 1,
      stateVersion: 1,
      minMemoryMiB: 1,
      layoutVersions: [1],
      root: {
        sizeBytes: statSync(roots.new).size,
        sha256: sha256(readFileSync(roots.new)),
        rootHash: info.new.rootHash,
        salt: SALT,
        full: await full(roots.new, 4096),
        blockList,
        deltas: await delta(roots, 4096, info.old.rootHash),
      },
      uki: {
        sizeBytes: statSync(ukis.new).size,
        sha256: sha256(readFileSync(ukis.new)),
        full: await full(ukis.new, 512),
        deltas: await delta(ukis, 512, sha256(readFileSync(ukis.old))),
        signer: { leaf: '', leafTbs: '', issuer: '' },
      },
    },
  };
}

async function publishPayload(
  repository: string,
  make: (output: string) => Promise<PayloadReference>,
): Promise<PayloadReference> {
  const output = join(repository, 'making');
  const reference = await make(output);
  renameSync(output, join(repository, `${reference.sha256}.payload`));
  return reference;
}

/** The lowest level of a tree, whose levels stand highest first behind the superblock's block. */
function leaves(verity: string, dataBlocks: number): Buffer {
  const tree = readFileSync(verity);
  const leafBlocks = Math.ceil(dataBlocks / 128);
  return Buffer.from(tree.subarray(tree.length - leafBlocks * BLOCK).subarray(0, dataBlocks * 32));
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** xorshift32. */
function randomNumbers(seed: number): () => number {
  let state = seed * 0x9e3779b1 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
