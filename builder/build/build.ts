/** Image definition + lock + keys -> signed artifacts, in one direction (architecture.md, "The builder"). */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageDefinition } from '../../spec/image.ts';
import { LAYOUT_VERSION } from '../../spec/layout.ts';
import { SLIPWAY_VERSION } from '../../spec/slipway-version.ts';
import { removeLeftovers, temporaryName, writeFileAtomic } from '../cache/directory.ts';
import { makeErofs } from '../erofs/erofs.ts';
import { moduleEntries } from '../initrd/modules.ts';
import type { Keys } from '../keys/load.ts';
import { formatLock, type LockFile } from '../lock/lock-file.ts';
import type { Progress } from '../progress.ts';
import { provenanceStatement } from '../provenance/statement.ts';
import { downloadSize, type DownloadSize } from '../report/download.ts';
import { componentSizes } from '../report/sizes.ts';
import { spdxDocument } from '../sbom/spdx.ts';
import { treeDigest } from '../tree/root.ts';
import { writeTar } from '../tree/tar.ts';
import { makeVerity } from '../verity/verity.ts';
import { encryptionFiles } from './encryption-files.ts';
import { signedUki } from './boot.ts';
import { inBytecode } from './bytecode.ts';
import { writeDisk } from './disk.ts';
import { buildKey, contentDigest, finishedBuild, rememberBuild } from './finished.ts';
import { openInputs } from './inputs.ts';
import { describeArtifacts } from './artifacts.ts';
import type { Manifest } from './manifest.ts';
import { minMemoryMiB } from './memory.ts';
import { chosenModules } from './modules.ts';
import { ownFilePaths } from '../own-files.ts';
import { rootTree } from './root.ts';
import { packagesServed } from './served.ts';
import { provisioningFiles } from './provisioning-files.ts';
import { updateFiles, updateRootPath } from './update-files.ts';

export interface BuildOptions {
  readonly lock: LockFile;
  readonly keys: Keys;
  /** Directory for the artifacts; made if missing. */
  readonly output: string;
  readonly progress: Progress;
  /** `exact` measures the download size with zstd -19 (half a minute); `quick` gives an upper bound. */
  readonly measure: 'exact' | 'quick';
}

export interface BuildResult {
  readonly manifest: Manifest;
  readonly download: DownloadSize;
  /** Nothing had changed: the artifacts of an earlier build stand. */
  readonly unchanged: boolean;
  /** Absolute paths. */
  readonly disk: string;
  readonly uki: string;
}

/** Builds an image. Every artifact appears under its final name only when it is whole. */
export async function buildImage(image: ImageDefinition, options: BuildOptions): Promise<BuildResult> {
  const { lock, keys, output, progress, measure } = options;
  const base = `${image.name}_${image.version}`;
  const keySet = image.profiles.includes('debug') ? keys.sets.debug : keys.sets.release;
  const definition = { image, architecture: lock.architecture };
  const inputFiles = [...new Set([...image.sources, ...namedFiles(image)])];
  const definitionDigest = await contentDigest(inputFiles, image.file);
  const updater = await updateFiles(image, keys.directory);
  const provisioner = await provisioningFiles(image);
  const pcr = image.state === undefined ? undefined : await keys.pcr();
  const updateRoot = updater.length === 0 ? [] : [updateRootPath(keys.directory)];
  const key = await buildKey([...inputFiles, ...updateRoot, ...ownFilePaths()], {
    definition,
    lock: formatLock(lock),
    signer: digest(keySet.signer.certificate),
    slipway: SLIPWAY_VERSION,
    ...(pcr === undefined ? {} : { pcr: pcr.publicKey }),
  });
  const result = { disk: join(output, `${base}.raw`), uki: join(output, `${base}.efi`) };
  const finished = await finishedBuild(output, base, key);
  if (finished !== undefined && (measure === 'quick' || finished.download.kind === 'exact'))
    return { ...finished, ...result, unchanged: true };

  await mkdir(output, { recursive: true });
  await removeLeftovers(output);
  const inputs = await openInputs(image, lock, progress);
  const modules = await progress.step('modules', () => chosenModules(image, inputs));
  const root = await progress.step('compose', async () =>
    rootTree(image, inputs, [
      ...moduleEntries(modules, modules.modules, 'modules'),
      ...updater,
      ...(await inBytecode(provisioner, inputs.compiler)),
      ...(pcr === undefined ? [] : encryptionFiles(pcr.publicKey)),
    ]),
  );
  const identity = treeDigest(root.entries);

  const rootPath = join(output, `${base}.root.erofs`);
  const verityPath = join(output, `${base}.verity`);
  await progress.step('root', async () => {
    const tar = temporaryName(join(output, `.${base}.root.tar`));
    try {
      await writeTar(root.entries, tar, lock.epoch);
      await makeErofs(tar, rootPath, { toolbox: inputs.toolbox, uuid: uuidOf(identity), epoch: lock.epoch });
    } finally {
      await rm(tar, { force: true });
    }
  });
  const verity = await progress.step('verity', () =>
    // One salt for all versions of an image: a block has the same digest in each, and an update finds what it has by the trees alone.
    makeVerity(rootPath, verityPath, { toolbox: inputs.toolbox, salt: digest(`verity-salt ${image.name}`) }),
  );
  const efi = { amd64: 'x64', arm64: 'aa64' }[image.architecture];
  const systemdBoot = (name: string): Promise<Buffer> =>
    readFile(inputs.toolbox.file(`/usr/lib/systemd/boot/efi/${name}`));
  const uki = await progress.step('uki', async () =>
    signedUki({
      image,
      kernel: inputs.kernel,
      modules,
      index: inputs.index,
      verity,
      stub: await systemdBoot(`linux${efi}.efi.stub`),
      signer: keySet.signer,
      ...(pcr === undefined ? {} : { pcr }),
    }),
  );
  await writeFileAtomic(result.uki, uki);
  const disk = await progress.step('disk', async () =>
    writeDisk({
      image,
      keySet,
      bootLoader: await systemdBoot(`systemd-boot${efi}.efi`),
      uki,
      rootPath,
      verityPath,
      rootHash: verity.rootHash,
      epoch: lock.epoch,
      toolbox: inputs.toolbox,
      output: result.disk,
    }),
  );

  const manifest = await progress.step('manifest', async () => {
    const sbom = spdxDocument({
      image,
      rootHash: verity.rootHash,
      epoch: lock.epoch,
      packages: inputs.packages,
      serves: packagesServed(inputs, root.entries),
      images: [...inputs.images].map(([service, { reference, digest: imageDigest }]) => ({
        service,
        reference,
        digest: imageDigest,
      })),
    });
    await writeFileAtomic(join(output, `${base}.spdx.json`), `${JSON.stringify(sbom, null, 2)}\n`);
    const built = await describeArtifacts(output, [
      `${base}.efi`,
      `${base}.root.erofs`,
      `${base}.verity`,
      `${base}.spdx.json`,
    ]);
    const statement = provenanceStatement({
      image,
      lock,
      slipwayVersion: SLIPWAY_VERSION,
      definitionDigest,
      artifacts: built,
    });
    await writeFileAtomic(join(output, `${base}.provenance.json`), `${JSON.stringify(statement, null, 2)}\n`);
    const certificate = new X509Certificate(keySet.signer.certificate);
    const made: Manifest = {
      format: '1.0',
      requires: [],
      name: image.name,
      version: image.version,
      architecture: image.architecture,
      epoch: lock.epoch,
      layoutVersions: [LAYOUT_VERSION],
      stateVersion: 1,
      minMemoryMiB: minMemoryMiB(uki.byteLength),
      debug: keySet.name === 'debug',
      rootHash: verity.rootHash,
      kernelRelease: modules.release,
      signer: {
        subject: certificate.subject.replaceAll('\n', ', '),
        sha256: digest(keySet.signer.certificate),
      },
      artifacts: [...built, ...(await describeArtifacts(output, [`${base}.provenance.json`]))],
      disk: { name: `${base}.raw`, sizeBytes: (await stat(result.disk)).size, ...disk },
      components: componentSizes([...root.entries]),
      tools: lock.tools,
    };
    await writeFileAtomic(join(output, 'manifest.json'), `${JSON.stringify(made, null, 2)}\n`);
    return made;
  });

  const artifact = (name: string): { path: string; sha256: string } => ({
    path: join(output, name),
    sha256: manifest.artifacts.find((candidate) => candidate.name === name)?.sha256 ?? '',
  });
  const download = await progress.step('size', () =>
    downloadSize(artifact(`${base}.root.erofs`), artifact(`${base}.efi`), inputs.toolbox, measure),
  );
  const names = [...manifest.artifacts.map(({ name }) => name), manifest.disk.name, 'manifest.json'];
  await rememberBuild(output, base, key, { manifest, download }, names);
  return { manifest, download, ...result, unchanged: false };
}

/** Files that the image's and the services' `files` and profiles name, beside what was read to make the definition. */
function namedFiles(image: ImageDefinition): string[] {
  const files = [...image.host.files, ...image.services.flatMap((service) => service.files)];
  const profiles = image.services
    .map((service) => service.securityOpt.seccomp)
    .filter((name) => name.startsWith('/'));
  return [...files.flatMap(({ source }) => source ?? []), ...profiles].sort();
}

function digest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** The first half of a digest in the form of a UUID. */
function uuidOf(hex: string): string {
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
