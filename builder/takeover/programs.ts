/** What runs on the machine while its own disk is being written: programs of the image's root, with their loader and libraries. */
import { readElf } from '../debian/elf.ts';
import { readErofs } from '../erofs/read.ts';
import { withFile } from '../inspect/source.ts';
import { SlipwayError } from '../../spec/error.ts';

const PROGRAMS = ['/usr/bin/busybox', '/usr/bin/zstd'];

/** By the name under which each lies there; the loader is `ld`. Throws `install.no-program`. */
export async function takeoverPrograms(rootPath: string): Promise<ReadonlyMap<string, Buffer>> {
  return withFile(rootPath, async (source) => {
    const root = await readErofs(source);
    const libraries = new Map<string, () => Promise<Buffer>>();
    const links = new Map<string, string>();
    const programs = new Map<string, Buffer>();
    // What several have is stored once, under the name that comes first.
    const files = new Map<string, () => Promise<Buffer>>();
    for await (const entry of root.entries()) {
      const name = entry.path.slice(entry.path.lastIndexOf('/') + 1);
      const read =
        entry.type === 'file' ? entry.read : entry.type === 'hardlink' ? files.get(entry.target) : undefined;
      if (read !== undefined) files.set(entry.path, read);
      // The host's own, no service's.
      if (/^\/usr\/lib(64)?\/([^/]+-linux-gnu\/)?[^/]+\.so(\.|$)/.test(entry.path)) {
        if (read !== undefined) libraries.set(name, read);
        if (entry.type === 'symlink') links.set(name, entry.target.slice(entry.target.lastIndexOf('/') + 1));
      }
      if (read !== undefined && PROGRAMS.includes(entry.path)) programs.set(name, await read());
    }
    const found = new Map(programs);
    const library = async (soname: string): Promise<void> => {
      const read = libraries.get(soname) ?? libraries.get(links.get(soname) ?? '');
      if (read === undefined)
        throw new SlipwayError('install.no-program', `the image's root holds no ${soname}`);
      const isLoader = soname.startsWith('ld-linux');
      if (found.has(isLoader ? 'ld' : soname)) return;
      const bytes = await read();
      found.set(isLoader ? 'ld' : soname, bytes);
      await needed(bytes);
    };
    const needed = async (bytes: Buffer): Promise<void> => {
      const elf = readElf((offset, length) => bytes.subarray(offset, offset + length));
      for (const soname of elf?.needed ?? []) await library(soname);
      const interpreter = elf?.interpreter?.split('/').at(-1);
      if (interpreter !== undefined) await library(interpreter);
    };
    if (programs.size < PROGRAMS.length)
      throw new SlipwayError(
        'install.no-program',
        `the image's root does not hold ${PROGRAMS.join(' and ')}`,
      );
    for (const bytes of programs.values()) await needed(bytes);
    return found;
  });
}
