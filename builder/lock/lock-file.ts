/** The lock file beside an image definition: every input by its hash. It names no host. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { ImageDefinition } from '../../spec/image.ts';
import { writeFileAtomic } from '../cache/directory.ts';
import { parseLocated } from './parse.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');
const packageName = z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/, 'expected a package name');

export const LockedPackageSchema = z.object({
  name: packageName,
  version: z.string().regex(/^[0-9A-Za-z.+:~-]+$/, 'expected a package version'),
  architecture: z.enum(['amd64', 'arm64', 'all']),
  suite: z.string().min(1),
  /** Path below the mirror's base address. */
  filename: z
    .string()
    .regex(/^(?!\/)(?!.*\.\.)[^\s]+\.deb$/, 'expected a path below the mirror, ending in .deb'),
  sizeBytes: z.int().positive(),
  sha256,
  licence: z.string().optional(),
  /** Names of the locked library packages among its direct dependencies. */
  depends: z.array(packageName),
  /** The Debian source package that it was built from. */
  source: packageName,
});

const LockedImageSchema = z.object({
  /** As written in the service's `image`. */
  reference: z.string().min(1),
  /** Digest of the manifest, `sha256:...`. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  sizeBytes: z.int().nonnegative(),
});

const LockFileSchema = z
  .object({
    // A newer minor version adds what this one may ignore (unknown keys are dropped).
    format: z
      .string()
      .regex(/^1\.\d+$/)
      .transform(() => '1.0' as const),
    architecture: z.enum(['amd64', 'arm64']),
    suite: z.string().min(1),
    /** When the archive's index was published (seconds since 1970): the time that every file of the image carries. */
    epoch: z.int().positive(),
    /** What the definition named when it was locked: the packages, and the kernel package with the one that it stands for. */
    requested: z.object({
      packages: z.array(packageName),
      kernel: packageName,
      kernelResolved: packageName,
    }),
    packages: z.array(LockedPackageSchema),
    tools: z.array(LockedPackageSchema),
    images: z.array(LockedImageSchema),
  })
  .superRefine((lock, context) => {
    const names = new Set(lock.packages.map(({ name }) => name));
    const fault = (path: (string | number)[], message: string): void => {
      context.addIssue({ code: 'custom', path, message });
    };
    lock.packages.forEach(({ name, depends }, place) => {
      if (lock.packages.findIndex((other) => other.name === name) !== place) {
        fault(['packages', place, 'name'], `${name} is locked twice`);
      }
      depends.forEach((library, index) => {
        if (!names.has(library)) fault(['packages', place, 'depends', index], `${library} is not locked`);
      });
    });
    [...lock.requested.packages, lock.requested.kernelResolved].forEach((name) => {
      if (!names.has(name)) fault(['requested'], `${name} is not locked`);
    });
  });

export type LockedPackage = Readonly<z.infer<typeof LockedPackageSchema>>;
export type LockedImage = Readonly<z.infer<typeof LockedImageSchema>>;
export type LockFile = Readonly<z.output<typeof LockFileSchema>>;

/** `images/minimal.yaml` -> `images/minimal.lock`; for another architecture than amd64 `images/minimal.arm64.lock`. */
export function lockPath({ file, architecture }: Pick<ImageDefinition, 'file' | 'architecture'>): string {
  return `${file.replace(/\.ya?ml$/, '')}${architecture === 'amd64' ? '' : `.${architecture}`}.lock`;
}

/** `undefined` where there is no lock file yet. */
export async function readLock(path: string): Promise<LockFile | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseLock(path, text);
}

/** Throws DiagnosticsError with every fault at its place. */
export function parseLock(path: string, text: string): LockFile {
  return parseLocated(path, text, LockFileSchema);
}

export async function writeLock(path: string, lock: LockFile): Promise<void> {
  await writeFileAtomic(path, formatLock(lock));
}

/** Entries are sorted and keys keep one order, so that a new lock differs from an old one only where an input does. */
export function formatLock(lock: LockFile): string {
  const byName = (a: LockedPackage, b: LockedPackage): number =>
    a.name < b.name ? -1 : a.name > b.name ? 1 : a.architecture < b.architecture ? -1 : 1;
  const ordered = LockFileSchema.parse({
    ...lock,
    packages: [...lock.packages].sort(byName),
    tools: [...lock.tools].sort(byName),
    images: [...lock.images].sort((a, b) => (a.reference < b.reference ? -1 : 1)),
  });
  return `${JSON.stringify(ordered, undefined, 2)}\n`;
}
