/** What firmware or hypervisor says of the machine: a few fields of SMBIOS as the kernel gives them, and the OEM strings of type 11. */
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';

const IDS = '/sys/class/dmi/id';
/** The whole table as it is in memory; there without any module. */
const TABLE = '/sys/firmware/dmi/tables/DMI';
const XEN_UUID = '/sys/hypervisor/uuid';
/** Far more than firmware has; QEMU's strings may be long. */
const TABLE_LIMIT_BYTES = 4 * 1024 * 1024;
const TYPE_OEM_STRINGS = 11;
const TYPE_END = 127;

export interface Dmi {
  readonly systemVendor: string;
  readonly productName: string;
  readonly productSerial: string;
  readonly productUuid: string;
  readonly boardVendor: string;
  readonly boardSerial: string;
  readonly biosVendor: string;
  readonly chassisAssetTag: string;
  readonly chassisSerial: string;
  /** Of Xen, where it runs. */
  readonly hypervisorUuid: string;
}

const FILES: readonly (readonly [keyof Dmi, string])[] = [
  ['systemVendor', `${IDS}/sys_vendor`],
  ['productName', `${IDS}/product_name`],
  ['productSerial', `${IDS}/product_serial`],
  ['productUuid', `${IDS}/product_uuid`],
  ['boardVendor', `${IDS}/board_vendor`],
  ['boardSerial', `${IDS}/board_serial`],
  ['biosVendor', `${IDS}/bios_vendor`],
  ['chassisAssetTag', `${IDS}/chassis_asset_tag`],
  ['chassisSerial', `${IDS}/chassis_serial`],
  ['hypervisorUuid', XEN_UUID],
];

/** A field that is not there is empty. */
export function readDmi(system: System): Dmi {
  return Object.fromEntries(
    FILES.map(([field, path]) => [field, system.readText(path)?.trim() ?? '']),
  ) as unknown as Dmi;
}

/** All OEM strings (SMBIOS 3.7, section 7.12), in order. */
export function readOemStrings(system: System): readonly Uint8Array[] {
  const fd = system.open(TABLE, { access: 'read' });
  if (fd < 0) return [];
  try {
    return oemStrings(readAll(system, fd));
  } finally {
    system.close(fd);
  }
}

function readAll(system: System, fd: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let total = 0; total < TABLE_LIMIT_BYTES;) {
    const bytes = system.read(fd, 65_536);
    if (!(bytes instanceof Uint8Array) || bytes.length === 0) break;
    chunks.push(bytes);
    total += bytes.length;
  }
  return concatenate(chunks);
}

/** A structure: type, length of its fixed part, the part; then strings that end with a NUL, and one NUL more (6.1). */
export function oemStrings(table: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at + 4 <= table.length;) {
    const type = table[at];
    const fixed = table[at + 1] ?? 0;
    if (fixed < 4 || type === TYPE_END) break;
    at += fixed;
    const strings: Uint8Array[] = [];
    for (let end = table.indexOf(0, at); end > at; end = table.indexOf(0, at)) {
      strings.push(table.subarray(at, end));
      at = end + 1;
    }
    // One NUL behind the last; two where there are no strings.
    at += strings.length === 0 ? 2 : 1;
    if (type === TYPE_OEM_STRINGS) found.push(...strings);
  }
  return found;
}
