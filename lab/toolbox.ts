/** The lab's own programs: QEMU, OVMF, swtpm from the locked tools, whatever the workstation has installed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cacheRoot } from '../builder/cache/directory.ts';
import { SlipwayError } from '../spec/error.ts';

/** Programs and data of unpacked packages, run through their own loader. As in builder/tools/toolbox.ts. */
export interface Toolbox {
  /** Digest of its packages. */
  readonly id: string;
  readonly root: string;
  /** argv prefix that runs /usr/bin|sbin/<program>. */
  readonly command: (program: string) => string[];
  /** A file of the toolbox. */
  readonly file: (path: string) => string;
}

/** The toolbox with QEMU and OVMF. */
export function labToolbox(): Promise<Toolbox> {
  const root = process.env['SLIPWAY_LAB_ROOT'] ?? join(cacheRoot(), 'lab', 'root');
  if (!existsSync(root)) {
    return Promise.reject(new SlipwayError('lab.no-tools', `the lab's tools are not at ${root}`));
  }
  const libraries = join(root, 'usr/lib/x86_64-linux-gnu');
  return Promise.resolve({
    id: root,
    root,
    command: (program) => [
      join(libraries, 'ld-linux-x86-64.so.2'),
      '--library-path',
      libraries,
      join(root, 'usr/bin', program),
    ],
    file: (path) => join(root, path),
  });
}
