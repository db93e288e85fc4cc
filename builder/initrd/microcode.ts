/** Processors' microcode, as the kernel takes it from the start of an initrd (Documentation/arch/x86/microcode.rst). */
import type { ImageDefinition } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { PackageIndex } from '../tree/package-index.ts';
import { takePackages } from '../tree/packages.ts';
import { readSource, writeCpio } from './cpio.ts';

/** One file for all processors of a maker: the kernel finds its own in it. */
const MAKERS = [
  { package: 'intel-microcode', files: '/usr/lib/firmware/intel-ucode/*', name: 'GenuineIntel.bin' },
  {
    package: 'amd64-microcode',
    files: '/usr/lib/firmware/amd-ucode/microcode_amd*.bin',
    name: 'AuthenticAMD.bin',
  },
] as const;

/** None for architectures that have no such thing. */
export function microcodePackages({ kernel, architecture }: ImageDefinition): readonly string[] {
  return kernel.microcode && architecture === 'amd64' ? MAKERS.map((maker) => maker.package) : [];
}

/** Uncompressed, as it must be. `undefined` where the architecture has none. */
export function microcodeArchive(image: ImageDefinition, index: PackageIndex): Uint8Array | undefined {
  if (microcodePackages(image).length === 0) return undefined;
  return writeCpio(
    MAKERS.map((maker): TreeEntry => {
      const selection = [{ name: maker.package, files: [maker.files] }];
      const bytes = contents([...takePackages(selection, index, 'microcode').values()]);
      if (bytes.length === 0)
        throw new SlipwayError('kernel.no-microcode', `package ${maker.package} holds no microcode`);
      return {
        ...{ type: 'file', path: `/kernel/x86/microcode/${maker.name}`, source: { kind: 'bytes', bytes } },
        ...{ mode: 0o644, uid: 0, gid: 0, component: 'microcode' },
      };
    }),
  );
}

/** In the order of their names; what a package also has as a variant for early loading takes the plain one's place. */
function contents(entries: readonly TreeEntry[]): Buffer {
  const files = new Map(
    entries.flatMap((entry) => (entry.type === 'file' ? [[entry.path, entry.source]] : [])),
  );
  const paths = [...files.keys()].filter((path) => !files.has(`${path}.initramfs`)).sort();
  return Buffer.concat(paths.map((path) => readSource(files.get(path)!)));
}
