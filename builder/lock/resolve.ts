/** Image definition -> lock: the newest inputs of the archive. */
import type { Architecture, ImageDefinition } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import { openArchive, type Archive } from '../debian/archive.ts';
import { closePackages, followKernel, type ClosedPackage } from '../debian/closure.ts';
import { findMirrors, type Mirrors } from '../debian/mirror.ts';
import { BOOT_LOADER_PACKAGE, BOOT_LOADER_SUITE, BUILD_TOOL_PACKAGES } from '../tools/packages.ts';
import { microcodePackages } from '../initrd/microcode.ts';
import { hostPackages } from '../tree/host-packages.ts';
import { resolveImages } from './images.ts';
import type { LockedPackage, LockFile } from './lock-file.ts';

export interface ResolveOptions {
  /** Instead of those that the image, the environment or the machine's apt name. */
  readonly mirrors?: Mirrors;
  /** Armored OpenPGP keys of the archive, instead of Debian's. */
  readonly keys?: string;
  /** Instead of the image's suite with its updates: bench/update resolves what a point release alone held. */
  readonly suites?: readonly string[];
  /** What the tools run on; this machine's unless told. */
  readonly buildArchitecture?: Architecture;
  readonly progress?: (step: string) => void;
}

/** Resolves every package that the image and its builder need. */
export async function resolveLock(image: ImageDefinition, options: ResolveOptions = {}): Promise<LockFile> {
  const mirrors = options.mirrors ?? (await findMirrors(image.distribution));
  const suite = image.distribution.suite;
  const suites = options.suites ?? suitesOf(suite);
  const buildArchitecture = options.buildArchitecture ?? machineArchitecture();
  const open = (
    suites: readonly string[],
    architecture: Architecture,
    components: readonly string[] = ['main'],
  ): Promise<Archive> => {
    options.progress?.(`fetching the package index of ${suites.join(', ')} for ${architecture}`);
    return openArchive({
      mirrors,
      suites,
      components,
      architecture,
      ...(options.keys === undefined ? {} : { keys: options.keys }),
    });
  };

  const [target, loader, build] = await Promise.all([
    open(suites, image.architecture, wantsFirmware(image) ? ['main', FIRMWARE_COMPONENT] : ['main']),
    open([BOOT_LOADER_SUITE], image.architecture),
    buildArchitecture === image.architecture ? undefined : open(suites, buildArchitecture),
  ]);
  const requested = requestedPackages(image);
  const kernelResolved = followKernel(target, image.kernel.package);
  const packages = closePackages(target, [...requested, kernelResolved]);
  const tools = [
    ...closePackages(build ?? target, BUILD_TOOL_PACKAGES),
    ...closePackages(loader, [BOOT_LOADER_PACKAGE]).filter((item) => item.name === BOOT_LOADER_PACKAGE),
  ];
  return {
    format: '1.0',
    architecture: image.architecture,
    suite,
    epoch: target.epoch,
    requested: { packages: [...requested], kernel: image.kernel.package, kernelResolved },
    packages: packages.map(lockedPackage),
    tools: tools.map(lockedPackage),
    images: await resolveImages(image),
  };
}

const FIRMWARE_COMPONENT = 'non-free-firmware';

function wantsFirmware({ kernel }: ImageDefinition): boolean {
  return kernel.microcode || kernel.firmware.length > 0;
}

/** Every package that the image and its services name, sorted; the kernel apart. */
export function requestedPackages(image: ImageDefinition): readonly string[] {
  const selections = [
    ...hostPackages(image),
    ...microcodePackages(image).map((name) => ({ name })),
    ...image.services.flatMap((service) => (service.root.kind === 'packages' ? service.root.packages : [])),
  ];
  return [...new Set(selections.map((selection) => selection.name))].sort();
}

/** A stable suite with its point and security updates. */
export function suitesOf(suite: string): readonly string[] {
  return ['sid', 'unstable', 'experimental'].includes(suite)
    ? [suite]
    : [suite, `${suite}-updates`, `${suite}-security`];
}

/** This machine's, by Debian's name. */
export function machineArchitecture(): Architecture {
  if (process.arch === 'x64') return 'amd64';
  if (process.arch === 'arm64') return 'arm64';
  throw new SlipwayError('tools.architecture', `Slipway's build tools do not run on ${process.arch}`, {
    hint: 'build on an amd64 or arm64 machine',
  });
}

/** What the lock keeps of a package of the index. Throws `debian.bad-index` where a field is missing. */
export function lockedPackage(closed: ClosedPackage): LockedPackage {
  const field = (name: string): string => {
    const value = closed.fields.get(name);
    if (value === undefined)
      throw new SlipwayError('debian.bad-index', `${closed.name} has no ${name} in the index`);
    return value;
  };
  return {
    name: closed.name,
    version: field('Version'),
    architecture: field('Architecture') as LockedPackage['architecture'],
    suite: closed.suite,
    filename: field('Filename'),
    sizeBytes: Number(field('Size')),
    sha256: field('SHA256'),
    depends: [...closed.depends],
    source: closed.fields.get('Source')?.split(' ')[0] ?? closed.name,
  };
}
