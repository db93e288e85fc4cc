/** Every form in which a machine can be handed over: one row a format. */
import { join, resolve } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import { derivedUuid } from '../gpt/guid.ts';
import { grownDisk } from './grown-disk.ts';
import { gzipStream } from './gzip.ts';
import { writeIso } from './iso/iso.ts';
import { NETBOOT_SUFFIXES, writeNetboot } from './netboot.ts';
import { writeOciArchive } from './oci.ts';
import { writeOutput } from './output.ts';
import { writeOva } from './ova.ts';
import { writeQcow2 } from './qcow2.ts';
import { requireBuild, type ExportContext, type ExportSource } from './source.ts';
import { writeSparseTar } from './sparse-tar.ts';
import { writeVhd } from './vhd.ts';
import { writeVmdk } from './vmdk.ts';
import { writeZstd } from './zstd.ts';

export interface ExportFormat {
  readonly description: string;
  /** Behind the source's base name. */
  readonly suffixes: readonly string[];
  /** Writes the files (absolute paths, in the order of `suffixes`); the same source gives the same bytes. */
  readonly write: (source: ExportSource, outputs: readonly string[], context: ExportContext) => Promise<void>;
}

const GIB = 1024 ** 3;

export const FORMATS = {
  raw: disk('the disk itself, sparse', '.raw', writeRaw),
  'raw.zst': disk('the disk, compressed, for writing to a real one', '.raw.zst', (source, to) =>
    writeZstd(source.disk, to, requireBuild(source, 'raw.zst').toolbox),
  ),
  qcow2: disk('QEMU, KVM, OpenStack, Proxmox', '.qcow2', ({ disk: from }, to) => writeQcow2(from, to)),
  vmdk: disk('VMware and cloud imports, stream-optimised', '.vmdk', (source, to) =>
    writeVmdk(only512(source, 'vmdk'), to, { name: `${source.base}.vmdk`, contentId: contentId(source) }),
  ),
  ova: disk('VMware, VirtualBox: the machine with its disk', '.ova', (source, to) =>
    writeOva(only512(source, 'ova'), to, {
      name: source.build?.name ?? source.base,
      version: source.build?.version ?? '1',
      memoryMiB: source.memoryMiB,
      contentId: contentId(source),
      epoch: source.epoch,
    }),
  ),
  vhd: disk('Azure, Hyper-V: fixed size', '.vhd', (source, to) =>
    writeVhd(only512(source, 'vhd'), to, {
      uuid: derivedUuid('vhd', source.diskGuid),
      epoch: source.epoch,
    }),
  ),
  gce: disk('Google Compute Engine: disk.raw in a tar', '.gce.tar.gz', writeGce),
  iso: disk('live and installer medium, for CD and USB', '.iso', writeIso),
  netboot: {
    description: 'network boot into memory: one UKI; kernel, initrd and script for iPXE',
    suffixes: NETBOOT_SUFFIXES,
    write: writeNetboot,
  },
  oci: disk('the root file system as an OCI image, in a tar', '.oci.tar', (source, to) => {
    const { root, ...build } = requireBuild(source, 'oci');
    return writeOciArchive(root, to, { ...build, epoch: source.epoch });
  }),
} as const satisfies Record<string, ExportFormat>;

export type FormatName = keyof typeof FORMATS;

export const FORMAT_NAMES = Object.keys(FORMATS) as readonly FormatName[];

export function isFormat(name: string): name is FormatName {
  return Object.hasOwn(FORMATS, name);
}

/** Paths of what a format makes. */
export function outputsOf(format: FormatName, base: string, directory: string): readonly string[] {
  return FORMATS[format].suffixes.map((suffix) => join(directory, `${base}${suffix}`));
}

/** A format of one file. */
function disk(
  description: string,
  suffix: string,
  write: (source: ExportSource, output: string, context: ExportContext) => Promise<void>,
): ExportFormat {
  return {
    description,
    suffixes: [suffix],
    write: async (source, [output = ''], context) => write(source, output, context),
  };
}

/** Throws `export.sector-size`: what these formats are for has no other disks. */
function only512({ disk: from, sectorSize }: ExportSource, format: string): ExportSource['disk'] {
  if (sectorSize === 512) return from;
  throw new SlipwayError('export.sector-size', `${format} is for disks with sectors of 512 bytes`, {
    hint: 'build the image with `disk: { sectorSize: 512 }`',
  });
}

/** 32 hexadecimal digits, of the image. */
function contentId({ diskGuid }: ExportSource): string {
  return derivedUuid('content', diskGuid).replaceAll('-', '');
}

async function writeRaw({ disk: from, diskPath }: ExportSource, output: string): Promise<void> {
  if (resolve(output) === diskPath) return;
  await writeOutput(output, async (file) => {
    for await (const { offset, bytes } of from.chunks())
      await file.writeAt(bytes.subarray(0, from.sizeBytes - offset), offset);
    file.extend(from.sizeBytes);
  });
}

async function writeGce(source: ExportSource, output: string): Promise<void> {
  const grown = await grownDisk(only512(source, 'gce'), GIB);
  await writeOutput(output, async (file) => {
    const gzip = gzipStream((bytes) => file.append(bytes));
    await writeSparseTar(grown, { name: 'disk.raw', epoch: source.epoch }, (bytes) => gzip.push(bytes));
    await gzip.end();
  });
}
