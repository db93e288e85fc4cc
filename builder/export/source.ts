/** What is exported: a build's folder, or a disk image alone. */
import { existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import type { Keys } from '../keys/load.ts';
import { LockedPackageSchema } from '../lock/lock-file.ts';
import { openToolbox, type Toolbox } from '../tools/toolbox.ts';
import { readTable } from './grown-disk.ts';
import { openSparseDisk, type SparseDisk } from './sparse-disk.ts';

export interface ExportSource {
  /** What the exports' names begin with: `minimal_1.0.0`. */
  readonly base: string;
  readonly directory: string;
  readonly diskPath: string;
  readonly disk: SparseDisk;
  readonly sectorSize: 512 | 4096;
  /** GUID of the disk: it comes from the image, and everything that an export has of such kind comes from it. */
  readonly diskGuid: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly memoryMiB: number;
  /** Only beside the manifest of a build. */
  readonly build?: BuildParts;
}

export interface BuildParts {
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture;
  readonly rootHash: string;
  readonly debug: boolean;
  readonly toolbox: Toolbox;
  readonly uki: string;
  readonly root: string;
  readonly verity: string;
}

export interface ExportContext {
  readonly keys: () => Promise<Keys>;
  /** Tells what is worth knowing of what was made. */
  readonly note: (text: string) => void;
}

const Manifest = z.object({
  format: z.string().regex(/^1\./),
  name: z.string().regex(/^[a-z0-9-]+$/),
  version: z.string().regex(/^[0-9a-z.~]+$/),
  architecture: z.enum(['amd64', 'arm64']),
  epoch: z.int(),
  minMemoryMiB: z.int(),
  debug: z.boolean(),
  rootHash: z.string().regex(/^[0-9a-f]{64}$/),
  disk: z.object({ name: z.string() }),
  tools: z.array(LockedPackageSchema),
});

const MIN_MEMORY_MIB = 512;
/** Of a disk that no build describes: 1 January 2026. */
const NO_EPOCH = Date.UTC(2026, 0, 1) / 1000;

/** `path`: a build's folder, its disk image, or any disk image. Throws `export.no-source`, `export.not-a-build`. */
export async function openExportSource(path: string): Promise<ExportSource> {
  const status = await stat(path).catch(() => undefined);
  if (status === undefined)
    throw new SlipwayError('export.no-source', `there is no ${path}`, {
      hint: 'name the folder that `slipway build` made, or a disk image (.raw)',
    });
  const directory = resolve(status.isDirectory() ? path : dirname(path));
  const manifest = await readManifest(directory);
  if (manifest === undefined && status.isDirectory())
    throw new SlipwayError('export.not-a-build', `${path} holds no manifest.json`, {
      hint: 'name the folder that `slipway build` made, or a disk image (.raw)',
    });
  if (manifest === undefined || (!status.isDirectory() && basename(path) !== manifest.disk.name))
    return openDisk(resolve(path));

  const base = `${manifest.name}_${manifest.version}`;
  const toolbox = await openToolbox(manifest.tools);
  const source = await openDisk(join(directory, manifest.disk.name), toolbox);
  const { name, version, architecture, rootHash, debug } = manifest;
  return {
    ...source,
    base,
    epoch: manifest.epoch,
    memoryMiB: Math.max(MIN_MEMORY_MIB, manifest.minMemoryMiB),
    build: {
      ...{ name, version, architecture, rootHash, debug, toolbox },
      uki: join(directory, `${base}.efi`),
      root: join(directory, `${base}.root.erofs`),
      verity: join(directory, `${base}.verity`),
    },
  };
}

/** Throws `export.needs-build`. */
export function requireBuild(source: ExportSource, format: string): BuildParts {
  if (source.build !== undefined) return source.build;
  throw new SlipwayError(
    'export.needs-build',
    `${format} is made from a build's folder, not from a disk image alone`,
    { hint: 'name the folder that `slipway build` made: it holds manifest.json' },
  );
}

async function openDisk(diskPath: string, toolbox?: Toolbox): Promise<ExportSource> {
  const disk = await openSparseDisk(diskPath, toolbox);
  const table = await readTable(disk);
  return {
    base: basename(diskPath).replace(/\.(raw|img)$/, ''),
    directory: dirname(diskPath),
    diskPath,
    disk,
    sectorSize: table.sectorSize,
    diskGuid: table.diskGuid,
    epoch: NO_EPOCH,
    memoryMiB: MIN_MEMORY_MIB,
  };
}

async function readManifest(directory: string): Promise<z.infer<typeof Manifest> | undefined> {
  const path = join(directory, 'manifest.json');
  if (!existsSync(path)) return undefined;
  const parsed = Manifest.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new SlipwayError('export.not-a-build', `${path} is not the manifest of a build`, {
    cause: parsed.error,
    hint: 'a build of an older Slipway? make it anew: slipway build',
  });
}
