/** ISO 9660 (ECMA-119) with an El Torito entry for UEFI: one folder of a few files, whose places the caller chooses. */
const SECTOR = 2048;
/** 0-15 are the system area; descriptors, boot catalogue, path tables and folders follow. */
const PLACES = {
  primary: 16,
  boot: 17,
  end: 18,
  catalog: 19,
  pathLittle: 20,
  pathBig: 21,
  root: 22,
  folder: 23,
} as const;
const EFI_PLATFORM = 0xef;

export interface IsoFile {
  /** 8.3, upper case: what every reader of ISO 9660 takes. */
  readonly name: string;
  /** A multiple of 2048. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface IsoVolume {
  /** At most 32 characters of A-Z, 0-9 and _. */
  readonly label: string;
  readonly folder: string;
  readonly files: readonly IsoFile[];
  /** The file that UEFI starts from: a FAT file system. */
  readonly bootImage: IsoFile;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** Where the volume's own structures end: files come behind. */
export const ISO_HEAD_BYTES = 24 * SECTOR;
const SYSTEM_AREA_BYTES = 16 * SECTOR;

/** What stands between the system area and the first file: at offset 32 KiB. */
export function isoHead(volume: IsoVolume): Buffer {
  const head = Buffer.alloc(ISO_HEAD_BYTES - SYSTEM_AREA_BYTES);
  const put = (place: number, bytes: Uint8Array): void => head.set(bytes, (place - PLACES.primary) * SECTOR);
  put(PLACES.primary, primaryDescriptor(volume));
  put(PLACES.boot, bootRecord());
  put(PLACES.end, descriptorHead(255));
  put(PLACES.catalog, bootCatalog(volume.bootImage));
  put(PLACES.pathLittle, pathTable(volume, false));
  put(PLACES.pathBig, pathTable(volume, true));
  const own = { offset: PLACES.folder * SECTOR, sizeBytes: SECTOR };
  const root = { offset: PLACES.root * SECTOR, sizeBytes: SECTOR };
  put(
    PLACES.root,
    Buffer.concat([
      record(volume, '\0', root, true),
      record(volume, '\x01', root, true),
      record(volume, volume.folder, own, true),
    ]),
  );
  const files = [...volume.files].sort((a, b) => (a.name < b.name ? -1 : 1));
  put(
    PLACES.folder,
    Buffer.concat([
      record(volume, '\0', own, true),
      record(volume, '\x01', root, true),
      ...files.map((file) => record(volume, `${file.name};1`, file, false)),
    ]),
  );
  return head;
}

function descriptorHead(type: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.writeUInt8(type, 0);
  bytes.write('CD001', 1, 'latin1');
  bytes.writeUInt8(1, 6);
  return bytes;
}

/** ECMA-119, 8.4. */
function primaryDescriptor(volume: IsoVolume): Buffer {
  const bytes = descriptorHead(1);
  // The identifiers of persons and files are blank.
  bytes.fill(' ', 8, 72);
  bytes.fill(' ', 190, 813);
  bytes.write('SLIPWAY', 574, 'latin1');
  bytes.write(volume.label, 40, 32, 'latin1');
  both32(bytes, 80, volume.sizeBytes / SECTOR);
  both16(bytes, 120, 1);
  both16(bytes, 124, 1);
  both16(bytes, 128, SECTOR);
  both32(bytes, 132, pathTable(volume, false).length);
  bytes.writeUInt32LE(PLACES.pathLittle, 140);
  bytes.writeUInt32BE(PLACES.pathBig, 148);
  bytes.set(record(volume, '\0', { offset: PLACES.root * SECTOR, sizeBytes: SECTOR }, true), 156);
  const time = new Date(volume.epoch * 1000).toISOString().replaceAll(/\D/g, '').slice(0, 16);
  for (const place of [813, 830]) bytes.write(time, place, 'latin1');
  for (const place of [847, 864]) bytes.write('0'.repeat(16), place, 'latin1');
  bytes.writeUInt8(1, 881);
  return bytes;
}

/** El Torito, "Boot Record Volume Descriptor". */
function bootRecord(): Buffer {
  const bytes = descriptorHead(0);
  bytes.write('EL TORITO SPECIFICATION', 7, 'latin1');
  bytes.writeUInt32LE(PLACES.catalog, 71);
  return bytes;
}

/** The default entry is UEFI's: there is none for a BIOS. Sizes above 16 bits are "to the end of the medium" (UEFI 2.10, 13.3.2.1). */
function bootCatalog({ offset, sizeBytes }: IsoFile): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(EFI_PLATFORM, 1);
  bytes.write('SLIPWAY', 4, 'latin1');
  bytes.writeUInt16LE(0xaa55, 30);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += bytes.readUInt16LE(at);
  bytes.writeUInt16LE(-sum & 0xffff, 28);
  bytes.writeUInt8(0x88, 32);
  const sectors = sizeBytes / 512;
  bytes.writeUInt16LE(sectors > 0xffff ? 0 : sectors, 38);
  bytes.writeUInt32LE(offset / SECTOR, 40);
  return bytes;
}

/** ECMA-119, 9.4: the root and its one folder. */
function pathTable({ folder }: IsoVolume, big: boolean): Buffer {
  const entry = (name: string, place: number): Buffer => {
    const bytes = Buffer.alloc(8 + name.length + (name.length % 2));
    bytes.writeUInt8(name.length, 0);
    if (big) {
      bytes.writeUInt32BE(place, 2);
      bytes.writeUInt16BE(1, 6);
    } else {
      bytes.writeUInt32LE(place, 2);
      bytes.writeUInt16LE(1, 6);
    }
    bytes.write(name, 8, 'latin1');
    return bytes;
  };
  return Buffer.concat([entry('\0', PLACES.root), entry(folder, PLACES.folder)]);
}

/** A directory record (ECMA-119, 9.1). */
function record(
  { epoch }: Pick<IsoVolume, 'epoch'>,
  name: string,
  { offset, sizeBytes }: Pick<IsoFile, 'offset' | 'sizeBytes'>,
  isFolder: boolean,
): Buffer {
  const bytes = Buffer.alloc(33 + name.length + ((name.length + 1) % 2));
  const time = new Date(epoch * 1000);
  bytes.writeUInt8(bytes.length, 0);
  both32(bytes, 2, offset / SECTOR);
  both32(bytes, 10, sizeBytes);
  bytes.set(
    [
      time.getUTCFullYear() - 1900,
      time.getUTCMonth() + 1,
      time.getUTCDate(),
      time.getUTCHours(),
      time.getUTCMinutes(),
      time.getUTCSeconds(),
      0,
      isFolder ? 2 : 0,
    ],
    18,
  );
  both16(bytes, 28, 1);
  bytes.writeUInt8(name.length, 32);
  bytes.write(name, 33, 'latin1');
  return bytes;
}

/** Both byte orders, one behind the other (7.3.3). */
function both32(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt32LE(value, at);
  bytes.writeUInt32BE(value, at + 4);
}

function both16(bytes: Buffer, at: number, value: number): void {
  bytes.writeUInt16LE(value, at);
  bytes.writeUInt16BE(value, at + 2);
}
