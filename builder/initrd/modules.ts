/** Kernel modules of an image: the closure of what is wanted, unpacked, with the indexes that busybox's modprobe reads. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../spec/error.ts';
import { cachedDirectory } from '../cache/directory.ts';
import { run } from '../process/run.ts';
import { sourceDigest } from '../tree/deduplicate.ts';
import type { FileSource, TreeEntry } from '../tree/entry.ts';
import { readSource } from './cpio.ts';
import { moduleName, readModuleInfo, type ModuleInfo } from './modinfo.ts';

/** The kernel's package, or whatever else holds `/usr/lib/modules/<release>/`. */
export interface KernelFiles {
  readonly entries: readonly { readonly path: string; readonly source: FileSource }[];
  /** Runs a program of the locked tools: argv to put before its arguments. `xz` and `zstd` are asked for, where needed. */
  readonly command: (program: string) => readonly string[];
}

export interface KernelModule extends ModuleInfo {
  readonly name: string;
  /** `/usr/lib/modules/<release>/kernel/...ko`: unpacked; the signature stays at its end. */
  readonly path: string;
  readonly source: FileSource;
}

export interface ModuleSet {
  readonly release: string;
  /** In an order in which they can be loaded. */
  readonly modules: readonly KernelModule[];
  /** Names of what the kernel has built in; `builtinList` is the same as `modules.builtin`, which modprobe reads. */
  readonly builtin: ReadonlySet<string>;
  readonly builtinList: string;
}

/** One wanted module. An `optional` one may be missing from this kernel (another flavour, another architecture). */
export interface WantedModule {
  readonly name: string;
  readonly optional: boolean;
}

/** Throws `kernel.module-unknown` where the kernel has no module of that name, built in or not. */
export async function selectModules(
  kernel: KernelFiles,
  wanted: readonly WantedModule[],
): Promise<ModuleSet> {
  const release = kernelRelease(kernel);
  const packed = packedModules(kernel);
  const builtinList = builtinText(kernel, release);
  const builtin = new Set(
    [...builtinList.matchAll(/([^/\n]+)\.ko/g)].map((match) => moduleName(match[1] ?? '')),
  );
  const missing = wanted.find(
    ({ name, optional }) => !optional && !packed.has(moduleName(name)) && !builtin.has(moduleName(name)),
  );
  if (missing !== undefined) {
    throw new SlipwayError('kernel.module-unknown', `the kernel ${release} has no module ${missing.name}`, {
      hint: 'see its modules with: slipway inspect, or choose another kernel package',
    });
  }
  const roots = wanted.map(({ name }) => moduleName(name)).filter((name) => packed.has(name));
  const found = new Map<string, KernelModule>();
  for (let wave = [...new Set(roots)]; wave.length > 0;) {
    for (const module of await unpack(kernel, release, packed, wave)) found.set(module.name, module);
    const next = [...found.values()].flatMap((module) => needed(module));
    wave = [...new Set(next)].filter((name) => packed.has(name) && !found.has(name));
  }
  return { release, modules: loadOrder(roots, found), builtin, builtinList };
}

/** The modules that `names` need, themselves included, in load order. */
export function closure(set: ModuleSet, names: readonly string[]): readonly KernelModule[] {
  const found = new Map(set.modules.map((module) => [module.name, module]));
  return loadOrder(names.map(moduleName), found);
}

/** The modules as entries of a tree, with modules.dep, modules.alias and modules.builtin. */
export function moduleEntries(
  set: ModuleSet,
  modules: readonly KernelModule[],
  component: string,
): readonly TreeEntry[] {
  const directory = `/usr/lib/modules/${set.release}`;
  const file = (path: string, source: FileSource): TreeEntry => ({
    type: 'file',
    path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    component,
    source,
  });
  const text = (name: string, content: string): TreeEntry =>
    file(`${directory}/${name}`, { kind: 'bytes', bytes: Buffer.from(content) });
  const relative = (module: KernelModule): string => module.path.slice(directory.length + 1);
  // As depmod writes it: nearest dependency first, so that the last one is loaded first.
  const dependencies = modules.map((module) => {
    const before = closure({ ...set, modules }, [module.name]).slice(0, -1);
    return [`${relative(module)}:`, ...before.map(relative).reverse()].join(' ');
  });
  const aliases = modules.flatMap((module) => module.aliases.map((alias) => `alias ${alias} ${module.name}`));
  return [
    ...modules.map((module) => file(module.path, module.source)),
    text('modules.dep', lines(dependencies)),
    text('modules.alias', lines(aliases)),
    text('modules.builtin', set.builtinList),
  ];
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}

function needed(module: ModuleInfo): readonly string[] {
  return [...module.wants, ...module.depends];
}

function loadOrder(names: readonly string[], found: ReadonlyMap<string, KernelModule>): KernelModule[] {
  const order = new Map<string, KernelModule>();
  const visit = (name: string, above: readonly string[]): void => {
    const module = found.get(name);
    if (module === undefined || order.has(name) || above.includes(name)) return;
    for (const other of needed(module)) visit(other, [...above, name]);
    order.set(name, module);
  };
  for (const name of names) visit(name, []);
  return [...order.values()];
}

function kernelRelease(kernel: KernelFiles): string {
  for (const { path } of kernel.entries) {
    const release = /^\/usr\/lib\/modules\/([^/]+)\//.exec(path)?.[1];
    if (release !== undefined) return release;
  }
  throw new SlipwayError('kernel.no-modules', 'the kernel package has no /usr/lib/modules');
}

type Packed = ReadonlyMap<string, { readonly path: string; readonly source: FileSource }>;

function packedModules(kernel: KernelFiles): Packed {
  const packed = new Map<string, { path: string; source: FileSource }>();
  for (const entry of kernel.entries) {
    const name = /^\/usr\/lib\/modules\/.*\/([^/]+)\.ko(?:\.xz|\.zst)?$/.exec(entry.path)?.[1];
    if (name !== undefined) packed.set(moduleName(name), entry);
  }
  return packed;
}

function builtinText(kernel: KernelFiles, release: string): string {
  const list = kernel.entries.find(({ path }) => path === `/usr/lib/modules/${release}/modules.builtin`);
  return list === undefined ? '' : Buffer.from(readSource(list.source)).toString('utf8');
}

/** Unpacks a wave of modules with one process, into the cache. */
async function unpack(
  kernel: KernelFiles,
  release: string,
  packed: Packed,
  names: readonly string[],
): Promise<KernelModule[]> {
  const files = names.flatMap((name) => {
    const entry = packed.get(name);
    return entry === undefined ? [] : [{ name, ...entry }];
  });
  const digests = files.map(({ source }) => sourceDigest(source));
  const directory = await cachedDirectory('modules', { release, digests }, async (temporary) => {
    await mkdir(temporary, { recursive: true });
    await Promise.all(
      files.map(({ name, path, source }) =>
        writeFile(join(temporary, `${name}${extension(path)}`), readSource(source)),
      ),
    );
    await decompress(kernel, temporary, files);
  });
  return Promise.all(
    files.map(async ({ name, path }) => {
      const unpackedFile = join(directory, `${name}.ko`);
      const bytes = await readFile(unpackedFile);
      return {
        name,
        path: path.replace(/\.(xz|zst)$/, ''),
        source: {
          kind: 'path' as const,
          path: unpackedFile,
          offset: 0,
          sizeBytes: bytes.length,
          sha256: createHash('sha256').update(bytes).digest('hex'),
        },
        ...readModuleInfo(path, bytes),
      };
    }),
  );
}

function extension(path: string): string {
  return /\.ko(\.xz|\.zst)?$/.exec(path)?.[0] ?? '.ko';
}

async function decompress(
  kernel: KernelFiles,
  directory: string,
  files: readonly { readonly name: string; readonly path: string }[],
): Promise<void> {
  const compressed = (suffix: string): string[] =>
    files
      .filter(({ path }) => path.endsWith(suffix))
      .map(({ name, path }) => join(directory, `${name}${extension(path)}`));
  const xz = compressed('.xz');
  if (xz.length > 0) await run([...kernel.command('xz'), '--decompress', '--quiet', ...xz]);
  const zst = compressed('.zst');
  if (zst.length > 0) await run([...kernel.command('zstd'), '-d', '-q', '--rm', ...zst]);
}
