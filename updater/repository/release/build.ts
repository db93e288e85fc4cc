/** A build directory, read as what a release is made of. What the manifest says is held against the artifacts themselves. */
import { createHash, type X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isTrustedBy, readSignatures } from '../../../builder/authenticode/read.ts';
import { children } from '../../../builder/authenticode/signed-data.ts';
import { decode, encode } from '../../../builder/authenticode/der.ts';
import { fileDigest } from '../../../builder/build/artifacts.ts';
import { readFat } from '../../../builder/esp/read.ts';
import { decodeGpt, GPT_HEAD_BYTES } from '../../../builder/gpt/table.ts';
import { inspectPe } from '../../../builder/inspect/pe.ts';
import { partOf, withFile } from '../../../builder/inspect/source.ts';
import { LockedPackageSchema, type LockedPackage } from '../../../builder/lock/lock-file.ts';
import { parsePe, sectionData } from '../../../builder/pe/parse.ts';
import { checkVerity } from '../../../builder/verity/check.ts';
import { readVeritySuperblock, VERITY_SUPERBLOCK_BYTES } from '../../../builder/verity/superblock.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import { isImageVersion } from '../../../spec/version.ts';
import type { UkiContent } from '../../release/document.ts';

/** A file of an image, root or UKI: by its digest it is known which one. */
export interface ImageFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export interface Build {
  readonly directory: string;
  readonly image: string;
  readonly version: string;
  readonly architecture: string;
  readonly epoch: number;
  readonly stateVersion: number;
  readonly minMemoryMiB: number;
  readonly layoutVersions: readonly number[];
  /** Signed for machines of the lab. */
  readonly debug: boolean;
  readonly root: ImageFile & {
    readonly sha256: string;
    readonly rootHash: string;
    readonly salt: string;
    /** Digest of each block, one after another: the lowest level of the verity tree. */
    readonly blockList: Uint8Array;
  };
  readonly uki: ImageFile & { readonly sha256: string; readonly signer: UkiContent['signer'] };
  /** What it was built with; missing in builds of an older Slipway. */
  readonly tools?: readonly LockedPackage[];
  /** Missing when the disk image is: the boot loader is taken from its ESP. */
  readonly loader?: { readonly bytes: Uint8Array; readonly version: string };
}

const Manifest = z.object({
  format: z.string().regex(/^1\./),
  requires: z.array(z.string()).max(0),
  name: z.string(),
  version: z.string().refine(isImageVersion),
  architecture: z.string(),
  epoch: z.int(),
  layoutVersions: z.array(z.int()),
  stateVersion: z.int(),
  minMemoryMiB: z.int(),
  debug: z.boolean(),
  rootHash: z.string().regex(/^[0-9a-f]{64}$/),
  artifacts: z.array(z.object({ name: z.string(), sha256: z.string() })),
  disk: z.object({ name: z.string() }),
  tools: z.array(LockedPackageSchema).optional(),
});
type Manifest = z.infer<typeof Manifest>;

/** `authorities` (DER): one of these certificates must have issued the UKI's signer. Throws `build.*`. */
export async function readBuild(
  directory: string,
  authorities: { readonly release: Uint8Array; readonly debug: Uint8Array } | undefined,
): Promise<Build> {
  const manifest = await readManifest(directory);
  const base = `${manifest.name}_${manifest.version}`;
  const uki = await readUki(join(directory, `${base}.efi`), manifest, authorities);
  const root = await readRoot(
    join(directory, `${base}.root.erofs`),
    join(directory, `${base}.verity`),
    manifest,
  );
  const loader = await readLoader(join(directory, manifest.disk.name));
  const { name: image, version, architecture, epoch, stateVersion, minMemoryMiB, layoutVersions } = manifest;
  return {
    ...{ directory, image, version, architecture, epoch, stateVersion, minMemoryMiB, layoutVersions },
    debug: manifest.debug,
    root,
    uki,
    ...(manifest.tools === undefined ? {} : { tools: manifest.tools }),
    ...(loader === undefined ? {} : { loader }),
  };
}

async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, 'manifest.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SlipwayError('build.missing', `${directory} holds no build: there is no manifest.json`, {
      cause,
      hint: 'name the output directory of: slipway build IMAGE',
    });
  });
  try {
    return Manifest.parse(JSON.parse(text));
  } catch (cause) {
    throw new SlipwayError(
      'build.invalid',
      `${path} is not the manifest of a build, or of a later Slipway's`,
      { cause },
    );
  }
}

async function readUki(
  path: string,
  manifest: Manifest,
  authorities: { readonly release: Uint8Array; readonly debug: Uint8Array } | undefined,
): Promise<Build['uki']> {
  const bytes = await readArtifact(path);
  const report = inspectPe(bytes, undefined);
  if (report.rootHash !== manifest.rootHash || report.version !== manifest.version)
    throw broken(path, `boots version ${report.version} with another root than the manifest names`);
  const [signature] = readSignatures(bytes);
  if (signature === undefined) throw broken(path, 'is not signed');
  if (signature.problems.length > 0) throw broken(path, signature.problems.join('; '));
  const [leaf, issuer] = signature.chain;
  if (leaf === undefined || issuer === undefined)
    throw broken(path, 'does not carry the certificate of the CA that issued its signer’s');
  const wanted = manifest.debug ? authorities?.debug : authorities?.release;
  if (wanted !== undefined && !isTrustedBy(signature, wanted)) {
    throw new SlipwayError('build.other-keys', `${path} is signed by other keys: ${oneLine(leaf.subject)}`, {
      hint: 'machines would refuse to boot it; name the keys that it was built with: --keys DIR',
    });
  }
  return {
    path,
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    signer: { leaf: sha256(leaf.raw), leafTbs: sha256(toBeSigned(leaf)), issuer: sha256(issuer.raw) },
  };
}

/** All of it is hashed: what is published under a root hash must be what that hash stands for. */
async function readRoot(path: string, treePath: string, manifest: Manifest): Promise<Build['root']> {
  return withFile(path, (data) =>
    withFile(treePath, async (tree) => {
      const superblock = readVeritySuperblock(await tree.read(0, VERITY_SUPERBLOCK_BYTES));
      if (superblock === undefined) throw broken(treePath, 'has no superblock');
      const { rootHash, treeMatches } = await checkVerity(data, tree, superblock);
      if (rootHash !== manifest.rootHash || !treeMatches)
        throw broken(path, 'is not what the manifest’s root hash stands for');
      const listBytes = superblock.dataBlocks * 32;
      const paddedBytes = Math.ceil(listBytes / BLOCK_BYTES) * BLOCK_BYTES;
      // The lowest level comes last. A root of one block has no tree: its only digest is the root hash.
      const blockList =
        superblock.dataBlocks === 1
          ? Buffer.from(rootHash, 'hex')
          : (await tree.read(tree.sizeBytes - paddedBytes, paddedBytes)).subarray(0, listBytes);
      return {
        path,
        sizeBytes: data.sizeBytes,
        sha256: await fileDigest(path),
        ...{ rootHash, salt: superblock.salt, blockList },
      };
    }),
  );
}

/** systemd-boot says in `.sdmagic` what it is: `#### LoaderInfo: systemd-boot 262~rc1-1 ####`. */
async function readLoader(diskPath: string): Promise<Build['loader']> {
  try {
    return await withFile(diskPath, async (disk) => {
      const table = decodeGpt(await disk.read(0, GPT_HEAD_BYTES), disk.sizeBytes);
      const esp = table?.partitions.find(({ name }) => name === 'esp');
      if (esp === undefined) throw broken(diskPath, 'has no ESP');
      const files = await readFat(partOf(disk, esp.offsetBytes, esp.sizeBytes));
      const file = files.find(({ path }) => /^EFI\/systemd\/systemd-boot[a-z0-9]+\.efi$/.test(path));
      if (file === undefined) throw broken(diskPath, 'holds no boot loader');
      const bytes = await file.read();
      const magic = sectionData(parsePe(bytes), '.sdmagic');
      const version = /systemd-boot (\S+)/.exec(Buffer.from(magic ?? []).toString('latin1'))?.[1];
      if (version === undefined) throw broken(diskPath, 'holds a boot loader that does not tell its version');
      return { bytes, version };
    });
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'inspect.unreadable') return undefined;
    throw error;
  }
}

function readArtifact(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: unknown) => {
    throw new SlipwayError('build.incomplete', `cannot read ${path}`, { cause, hint: 'build it anew' });
  });
}

/** The part of a certificate that its issuer signed: dbx can name its digest. */
function toBeSigned(certificate: X509Certificate): Uint8Array {
  const [tbs] = children(decode(certificate.raw));
  if (tbs === undefined) throw new RangeError('not an X.509 certificate');
  return encode(tbs);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function oneLine(subject: string): string {
  return subject.replaceAll('\n', ', ');
}

function broken(path: string, what: string): SlipwayError {
  return new SlipwayError('build.invalid', `${path} ${what}`, { hint: 'build it anew' });
}
