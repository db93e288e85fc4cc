/**
 * The live medium: an ISO that UEFI boots as a CD (El Torito) and as a stick or disk (GPT). The machine runs from it; `slip install` finds
 * root, verity tree and the ESP's files on it.
 */
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { BLOCK_BYTES, RESERVED_TYPE_GUID } from '../../../spec/layout.ts';
import { temporaryName } from '../../cache/directory.ts';
import { derivedUuid } from '../../gpt/guid.ts';
import { encodeGpt } from '../../gpt/table.ts';
import { espTar } from '../live/esp-files.ts';
import { liveInitrd, liveUki, readUki } from '../live/uki.ts';
import { writeOutput, type OutputFile } from '../output.ts';
import { requireBuild, type ExportContext, type ExportSource } from '../source.ts';
import { makeBootImage } from './boot-image.ts';
import { isoHead, ISO_HEAD_BYTES, type IsoFile } from './iso9660.ts';

const MIB = 1024 * 1024;
const ESP_TYPE_GUID = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
/** Sectors of the backup table: it ends the medium. */
const BACKUP_BYTES = MIB;

export async function writeIso(
  source: ExportSource,
  output: string,
  { keys, note }: ExportContext,
): Promise<void> {
  const build = requireBuild(source, 'iso');
  const esp = await espTar(source);
  let end = ISO_HEAD_BYTES;
  const place = (name: string, sizeBytes: number): IsoFile => {
    const offset = Math.ceil(end / MIB) * MIB;
    end = offset + sizeBytes;
    return { name, offset, sizeBytes };
  };
  const verity = place('VERITY.IMG', (await stat(build.verity)).size);
  const root = place('ROOT.IMG', (await stat(build.root)).size);
  const espFiles = place('ESP.TAR', esp.length);

  const parts = await readUki(build);
  if (!parts.initrd.some(({ path }) => path.endsWith('/usb-storage.ko')))
    note(
      'iso: this image’s kernel has no drivers for USB: a CD or a virtual disk, but no stick (kernel: { flavour: full })',
    );
  // Whole blocks: the sectors of a CD have 2048 bytes.
  const sectors = ({ offset, sizeBytes }: IsoFile): string =>
    `${offset / 512} ${Math.ceil(sizeBytes / BLOCK_BYTES) * (BLOCK_BYTES / 512)}`;
  const initrd = await liveInitrd(build, parts, {
    root: 'medium',
    values: { LIVE_ROOT: sectors(root), LIVE_VERITY: sectors(verity), LIVE_ESP: sectors(espFiles) },
    modules: ['sr_mod'],
    files: [],
  });
  const uki = await liveUki(build, parts, initrd, await keys());
  const bootPath = temporaryName(output);
  try {
    const bootOffset = Math.ceil(end / MIB) * MIB;
    const bootBytes = await makeBootImage(uki, bootPath, {
      toolbox: build.toolbox,
      architecture: build.architecture,
      volumeId: derivedUuid('live', source.diskGuid).slice(0, 8),
      offsetBytes: bootOffset,
      epoch: source.epoch,
    });
    const boot = place('BOOT.IMG', bootBytes);
    const sizeBytes = boot.offset + boot.sizeBytes + BACKUP_BYTES;
    await writeOutput(output, async (file) => {
      await file.writeAt(
        isoHead({
          label: `SLIPWAY_${build.name}_${build.version}`
            .toUpperCase()
            .replaceAll(/[^A-Z0-9]/g, '_')
            .slice(0, 32),
          folder: 'SLIPWAY',
          files: [verity, root, espFiles, boot],
          bootImage: boot,
          sizeBytes,
          epoch: source.epoch,
        }),
        16 * 2048,
      );
      await copy(file, build.verity, verity.offset);
      await copy(file, build.root, root.offset);
      await file.writeAt(esp, espFiles.offset);
      await copy(file, bootPath, boot.offset);
      await writeTable(file, source.diskGuid, boot, sizeBytes);
    });
  } finally {
    await rm(bootPath, { force: true });
  }
}

/** For firmware that sees a disk. No partition is called as one of an installed machine: that one must not take the medium for its disk. */
async function writeTable(
  file: OutputFile,
  identity: string,
  boot: IsoFile,
  diskBytes: number,
): Promise<void> {
  const partition = (name: string, typeGuid: string, offsetBytes: number, sizeBytes: number) => ({
    ...{ name, typeGuid, offsetBytes, sizeBytes },
    guid: derivedUuid('live partition', name, identity),
  });
  const table = encodeGpt({
    sectorSize: 512,
    diskGuid: derivedUuid('live disk', identity),
    diskBytes,
    partitions: [
      partition('slipway-live-esp', ESP_TYPE_GUID, boot.offset, boot.sizeBytes),
      partition('slipway-live', RESERVED_TYPE_GUID, MIB, boot.offset - MIB),
    ],
  });
  for (const { offset, bytes } of table) await file.writeAt(bytes, offset);
}

async function copy(file: OutputFile, path: string, offset: number): Promise<void> {
  let at = offset;
  for await (const bytes of createReadStream(path, { highWaterMark: MIB }) as AsyncIterable<Buffer>) {
    await file.writeAt(bytes, at);
    at += bytes.length;
  }
}
