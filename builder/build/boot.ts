/** What the firmware starts: the UKI, with its initrd, signed. */
import type { ImageDefinition } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import { signPe } from '../authenticode/sign.ts';
import type { Signer } from '../authenticode/signer.ts';
import { INITRD_PROGRAMS, initrdFiles, kernelCommandLine } from '../initrd/boot-files.ts';
import { readSource } from '../initrd/cpio.ts';
import { microcodeArchive } from '../initrd/microcode.ts';
import { makeInitrd } from '../initrd/initrd.ts';
import type { ModuleSet } from '../initrd/modules.ts';
import type { PcrSigner } from '../pcr/key.ts';
import { withPcrSignature } from '../pcr/signature.ts';
import type { OpenedPackage, PackageIndex } from '../tree/package-index.ts';
import { takePackages } from '../tree/packages.ts';
import { osRelease } from '../uki/os-release.ts';
import { makeUki } from '../uki/uki.ts';
import type { VerityInfo } from '../verity/verity.ts';

export interface UkiParts {
  readonly image: ImageDefinition;
  readonly kernel: OpenedPackage;
  readonly modules: ModuleSet;
  readonly index: PackageIndex;
  readonly verity: VerityInfo;
  readonly stub: Uint8Array;
  readonly signer: Signer;
  /** Where the image's state is encrypted: lets machines open it under this UKI. */
  readonly pcr?: PcrSigner;
}

export async function signedUki(parts: UkiParts): Promise<Uint8Array> {
  const { image, verity, modules, pcr } = parts;
  const commandLine = kernelCommandLine(image, verity.rootHash);
  // The same files as the root's: one stream over both carries them once.
  const programs = takePackages(INITRD_PROGRAMS, parts.index, 'initrd').values();
  const initrd = makeInitrd({ files: initrdFiles({ image, programs, modules, root: verity, commandLine }) });
  const microcode = microcodeArchive(image, parts.index);
  const unsigned = makeUki({
    stub: parts.stub,
    kernel: kernelBytes(parts.kernel),
    initrd,
    ...(microcode === undefined ? {} : { microcode }),
    commandLine,
    osRelease: osRelease(image),
    uname: modules.release,
    ...(pcr === undefined ? {} : { pcrPublicKey: pcr.publicKey }),
  });
  return signPe(pcr === undefined ? unsigned : await withPcrSignature(unsigned, pcr), parts.signer);
}

function kernelBytes({ locked, content }: OpenedPackage): Uint8Array {
  const entry = content.entries.find(
    ({ path, type }) => type === 'file' && path.startsWith('/boot/vmlinuz-'),
  );
  if (entry?.sha256 === undefined)
    throw new SlipwayError('kernel.no-image', `package ${locked.name} holds no /boot/vmlinuz-*`, {
      hint: 'name a kernel package in `kernel.package`, for example linux-image-cloud-amd64',
    });
  const { offset, sizeBytes, sha256 } = entry;
  return readSource({ kind: 'path', path: content.tarPath, offset, sizeBytes, sha256 });
}
