/** Programs from locked packages, run through their own loader and libraries, so that results do not depend on the machine. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, readdir, symlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { cachedDirectory } from '../cache/directory.ts';
import { diskFull, isDiskFull } from '../debian/disk-full.ts';
import { fetchPackages, type FetchContext } from '../debian/fetch.ts';
import { findMirrors } from '../debian/mirror.ts';
import { openPackage, type PackageContent, type PackageEntry } from '../debian/package-content.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import { machineArchitecture } from '../lock/resolve.ts';
import { labLock } from './lab-lock.ts';

export interface Toolbox {
  /** Digest of its packages. */
  readonly id: string;
  /** Absolute folder that holds its `/usr`. */
  readonly root: string;
  /** argv prefix that runs /usr/bin/<program> or /usr/sbin/<program>. Throws `tools.missing` for one that no package holds. */
  readonly command: (program: string) => string[];
  /** Path on this machine of an absolute path of the toolbox. */
  readonly file: (path: string) => string;
}

const NO_CONTEXT: FetchContext = { mirrors: () => findMirrors({}) };

/** QEMU, firmware and their helpers for machines of an architecture, as programs of this workstation's own. */
export async function openLab(machine: Architecture, context: FetchContext = NO_CONTEXT): Promise<Toolbox> {
  try {
    return await openToolbox(await labLock(machine, context, 'keep'), context);
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'debian.package-gone') throw error;
    return openToolbox(await labLock(machine, context, 'renew'), context);
  }
}

/** Unpacked once; needs no network when the packages are in the cache. */
export async function openToolbox(
  locked: readonly LockedPackage[],
  context: FetchContext = NO_CONTEXT,
): Promise<Toolbox> {
  const id = createHash('sha256')
    .update(
      locked
        .map((item) => item.sha256)
        .sort()
        .join('\n'),
    )
    .digest('hex');
  const root = await cachedDirectory('tools', { id, layout: LAYOUT }, async (directory) => {
    const paths = await fetchPackages(locked, context);
    for (const path of paths) await unpack(await openPackage(path), directory);
  }).catch((error: unknown) => {
    throw isDiskFull(error) ? diskFull(error) : error;
  });
  const libraries = await libraryFolders(root);
  return {
    id,
    root,
    command: (program) => command(root, libraries, program),
    file: (path) => file(root, path),
  };
}

/** Part of the cache key: to be raised when unpacking changes. */
const LAYOUT = 1;

const LOADER: Record<Architecture, string> = {
  amd64: 'ld-linux-x86-64.so.2',
  arm64: 'ld-linux-aarch64.so.1',
};
const TRIPLET: Record<Architecture, string> = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

function command(root: string, libraries: readonly string[], program: string): string[] {
  const architecture = machineArchitecture();
  const loader = join(root, 'usr/lib', TRIPLET[architecture], LOADER[architecture]);
  const path = ['usr/bin', 'usr/sbin'].map((folder) => join(root, folder, program)).find(existsSync);
  if (path === undefined) throw new SlipwayError('tools.missing', `no locked tool package holds ${program}`);
  if (!existsSync(loader)) {
    throw new SlipwayError('tools.architecture', `the locked tools do not run on ${architecture}`, {
      hint: 'lock anew on this machine: slipway lock',
    });
  }
  return [
    ...moduleEnvironment(join(root, 'usr/lib', TRIPLET[architecture], 'qemu'), program),
    ...[loader, '--inhibit-cache', '--library-path', libraries.join(':'), path],
    ...dataArguments(root, program),
  ];
}

/** The common folder of libraries, and those below it in which packages keep libraries of their own (swtpm, systemd). */
async function libraryFolders(root: string): Promise<readonly string[]> {
  const common = join(root, 'usr/lib', TRIPLET[machineArchitecture()]);
  if (!existsSync(common)) return [common];
  const folders = (await readdir(common, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const own: string[] = [];
  for (const { name } of folders) {
    const files = await readdir(join(common, name));
    if (files.some((each) => /^lib.+\.so(\.|$)/.test(each))) own.push(join(common, name));
  }
  return [common, ...own.sort()];
}

/** QEMU looks for its modules beside its own executable, which under a loader is the loader. */
function moduleEnvironment(modules: string, program: string): readonly string[] {
  return program.startsWith('qemu-') && existsSync(modules) ? ['env', `QEMU_MODULE_DIR=${modules}`] : [];
}

/** QEMU's firmware and option ROMs, likewise. */
function dataArguments(root: string, program: string): readonly string[] {
  if (!program.startsWith('qemu-system-')) return [];
  const folders = ['usr/share/qemu', 'usr/share/seabios', 'usr/lib/ipxe/qemu'];
  return folders
    .map((folder) => join(root, folder))
    .filter(existsSync)
    .flatMap((folder) => ['-L', folder]);
}

function file(root: string, path: string): string {
  const found = join(root, path);
  if (existsSync(found)) return found;
  throw new SlipwayError('tools.missing', `no locked tool package holds ${path}`);
}

async function unpack(content: PackageContent, directory: string): Promise<void> {
  const tar = await open(content.tarPath, 'r');
  try {
    for (const entry of content.entries) {
      if (/^\/usr\/share\/(doc|man|locale|info|lintian|bug)\//.test(entry.path)) continue;
      await place(entry, directory, tar);
    }
  } finally {
    await tar.close();
  }
}

async function place(entry: PackageEntry, directory: string, tar: FileHandle): Promise<void> {
  const path = join(directory, entry.path);
  if (entry.type === 'directory') return void (await mkdir(path, { recursive: true }));
  await mkdir(dirname(path), { recursive: true });
  if (existsSync(path)) return;
  if (entry.type === 'symlink') return symlink(relativeTarget(entry), path);
  if (entry.type === 'hardlink') return link(join(directory, entry.target ?? ''), path);
  const output = await open(path, 'wx', (entry.mode & 0o111) === 0 ? 0o644 : 0o755);
  try {
    const buffer = Buffer.allocUnsafe(Math.min(entry.sizeBytes, 1024 * 1024));
    for (let done = 0; done < entry.sizeBytes;) {
      const { bytesRead } = await tar.read(
        buffer,
        0,
        Math.min(buffer.length, entry.sizeBytes - done),
        entry.offset + done,
      );
      await output.write(buffer, 0, bytesRead);
      done += bytesRead;
    }
  } finally {
    await output.close();
  }
}

/** An absolute target means the toolbox's own file. */
function relativeTarget(entry: PackageEntry): string {
  const target = entry.target ?? '';
  if (!target.startsWith('/')) return target;
  return `${'../'.repeat(entry.path.split('/').length - 2)}${target.slice(1)}`;
}
