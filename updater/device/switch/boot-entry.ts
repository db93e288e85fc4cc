/**
 * Boot#### variables that start a copy of the loader from our ESP (UEFI specification, 3.1.3 and 10.3.5). By BootNext: once, and the firmware goes on as
 * before. In BootOrder: where the disk's own way, EFI/BOOT, does not work, the copy in EFI/systemd is started, which no firmware looks for by itself.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';
import { VENDORS, type BootDisk } from './boot-disk.ts';
import { utf16 } from './entries.ts';
import { partitionDevice } from './machine-parts.ts';

/** No firmware numbers its own this high. Only the first is ever in BootOrder. */
const SYSTEMD_NUMBER = 0x51aa;
const FALLBACK_NUMBER = 0x51ab;
const ACTIVE = 1;
const GPT = 2;
const GUID_SIGNATURE = 2;

const BOOT_NEXT = { name: 'BootNext', vendor: VENDORS.firmware } as const;
const BOOT_ORDER = { name: 'BootOrder', vendor: VENDORS.firmware } as const;
const BOOT_CURRENT = { name: 'BootCurrent', vendor: VENDORS.firmware } as const;

export interface EspPlace {
  readonly partition: number;
  /** In sectors of the disk. */
  readonly start: number;
  readonly size: number;
  readonly guid: string;
}

/** `undefined` where systemd-boot did not say which partition it came from. Throws `switch.first-boot`. */
export async function espPlace(system: System, disk: BootDisk): Promise<EspPlace | undefined> {
  const told = await disk.readVariable({ name: 'LoaderDevicePartUUID', vendor: VENDORS.loader });
  const guid = told === undefined ? '' : utf16(told).toLowerCase();
  // The image's own, which this very boot has replaced (docs/boot.md, "The first boot"): from the next one on it is told right.
  if (guid[14] === '8')
    throw new SlipwayError(
      'switch.first-boot',
      'the boot loader is not replaced in the first boot of a disk',
    );
  const name = partitionDevice(system, 'esp').slice('/dev/'.length);
  const number = (file: string): number =>
    Number(system.readText(`/sys/class/block/${name}/${file}`)?.trim() ?? 'NaN');
  const parent = system.readLink(`/sys/class/block/${name}`)?.split('/').at(-2) ?? '';
  const sector = Number(
    system.readText(`/sys/class/block/${parent}/queue/logical_block_size`)?.trim() ?? '512',
  );
  // sysfs counts in 512 bytes, whatever the disk's sectors are.
  const [start, size] = [number('start'), number('size')].map((count) => (count * 512) / sector);
  const partition = number('partition');
  if (
    !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(guid) ||
    !(start! > 0) ||
    !(size! > 0) ||
    !(partition > 0)
  )
    return undefined;
  return { partition, start: start!, size: size!, guid };
}

/** The next start goes through this copy; if that does not work, the one after goes as always. */
export async function bootOnceThrough(disk: BootDisk, place: EspPlace, path: string): Promise<void> {
  await writeEntry(disk, place, path);
  await disk.writeVariable(BOOT_NEXT, littleEndian(numberOf(path), 2));
}

/** Whether it is set already: the firmware deletes that with the next start, whatever comes of it. */
export async function isNext(disk: BootDisk, path: string): Promise<boolean> {
  const [number] = numbers(await disk.readVariable(BOOT_NEXT));
  return number === numberOf(path);
}

/** Puts the copy in EFI/systemd behind what this start came from, where firmware keeps an order and does not name it yet. */
export async function keepEntry(disk: BootDisk, place: EspPlace, path: string): Promise<void> {
  const order = numbers(await disk.readVariable(BOOT_ORDER));
  if (order.length === 0) return;
  await writeEntry(disk, place, path);
  if (order.includes(numberOf(path))) return;
  const [current] = numbers(await disk.readVariable(BOOT_CURRENT));
  const at = current === undefined ? -1 : order.indexOf(current);
  const behind = at < 0 ? order.length : at + 1;
  const wanted = [...order.slice(0, behind), numberOf(path), ...order.slice(behind)];
  await disk.writeVariable(BOOT_ORDER, join(...wanted.map((number) => littleEndian(number, 2))));
}

/** Written only where it is another: firmware's memory wears out. */
async function writeEntry(disk: BootDisk, place: EspPlace, path: string): Promise<void> {
  const name = `Boot${numberOf(path).toString(16).toUpperCase().padStart(4, '0')}`;
  const variable = { name, vendor: VENDORS.firmware };
  const option = loadOption(place, path);
  const found = await disk.readVariable(variable);
  if (found?.length === option.length && option.every((byte, index) => found[index] === byte)) return;
  await disk.writeVariable(variable, option);
}

function numberOf(path: string): number {
  return /^EFI\/BOOT\//i.test(path) ? FALLBACK_NUMBER : SYSTEMD_NUMBER;
}

function numbers(bytes: Uint8Array | undefined): readonly number[] {
  return Array.from(
    { length: Math.floor((bytes?.length ?? 0) / 2) },
    (_, index) => bytes![2 * index]! + 256 * bytes![2 * index + 1]!,
  );
}

/** EFI_LOAD_OPTION. */
export function loadOption(place: EspPlace, path: string): Uint8Array {
  const file = text(`\\${path.replaceAll('/', '\\')}`);
  const nodes = join(
    node(4, 1, [
      littleEndian(place.partition, 4),
      littleEndian(place.start, 8),
      littleEndian(place.size, 8),
      guidBytes(place.guid),
      new Uint8Array([GPT, GUID_SIGNATURE]),
    ]),
    node(4, 4, [file]),
    node(0x7f, 0xff, []),
  );
  return join(littleEndian(ACTIVE, 4), littleEndian(nodes.length, 2), text('Slipway'), nodes);
}

function node(type: number, subtype: number, parts: readonly Uint8Array[]): Uint8Array {
  const content = join(...parts);
  return join(new Uint8Array([type, subtype]), littleEndian(content.length + 4, 2), content);
}

function text(value: string): Uint8Array {
  return join(...[...value, '\0'].map((letter) => littleEndian(letter.charCodeAt(0), 2)));
}

function littleEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => Math.floor(value / 256 ** index) % 256);
}

function guidBytes(guid: string): Uint8Array {
  const bytes = guid
    .replaceAll('-', '')
    .match(/../g)!
    .map((pair) => parseInt(pair, 16));
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return Uint8Array.from(order, (index) => bytes[index]!);
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return concatenate(parts);
}
