/**
 * What a device holds, by the marks that file systems and their like leave at its start and end. Whoever is unsure says `data`: nothing is
 * written over what only looks empty. Offsets are those of libblkid.
 */
import type { Content } from '../plan/facts.ts';

export type ReadDevice = (offset: number, length: number) => Uint8Array;

/** Read at both ends; btrfs has its mark at 64 KiB. */
const HEAD_BYTES = 72 * 1024;
const TAIL_BYTES = 64 * 1024;

interface Known {
  readonly type: string;
  readonly at: number;
  readonly magic: string;
  readonly label?: { readonly at: number; readonly bytes: number };
  readonly uuid?: { readonly at: number; readonly form: 'uuid' | 'fat' };
}

const KNOWN: readonly Known[] = [
  { type: 'crypto_LUKS', at: 0, magic: 'LUKS\xba\xbe' },
  { type: 'LVM2_member', at: 512, magic: 'LABELONE' },
  { type: 'linux_raid_member', at: 4096, magic: '\xfc\x4e\x2b\xa9' },
  { type: 'linux_raid_member', at: 0, magic: '\xfc\x4e\x2b\xa9' },
  {
    type: 'swap',
    at: 4086,
    magic: 'SWAPSPACE2',
    label: { at: 1052, bytes: 16 },
    uuid: { at: 1036, form: 'uuid' },
  },
  { type: 'xfs', at: 0, magic: 'XFSB', label: { at: 108, bytes: 12 }, uuid: { at: 32, form: 'uuid' } },
  {
    type: 'btrfs',
    at: 65_600,
    magic: '_BHRfS_M',
    label: { at: 65_835, bytes: 256 },
    uuid: { at: 65_568, form: 'uuid' },
  },
  { type: 'erofs', at: 1024, magic: '\xe2\xe1\xf5\xe0' },
  { type: 'squashfs', at: 0, magic: 'hsqs' },
  { type: 'DM_verity_hash', at: 0, magic: 'verity\0\0' },
  { type: 'iso9660', at: 32_769, magic: 'CD001', label: { at: 32_808, bytes: 32 } },
  { type: 'ntfs', at: 3, magic: 'NTFS    ' },
  { type: 'exfat', at: 3, magic: 'EXFAT   ' },
  { type: 'vfat', at: 82, magic: 'FAT32   ', label: { at: 71, bytes: 11 }, uuid: { at: 67, form: 'fat' } },
  { type: 'vfat', at: 54, magic: 'FAT16   ', label: { at: 43, bytes: 11 }, uuid: { at: 39, form: 'fat' } },
  { type: 'vfat', at: 54, magic: 'FAT12   ', label: { at: 43, bytes: 11 }, uuid: { at: 39, form: 'fat' } },
];

const EXT = {
  magic: 1080,
  features: { compatible: 1116, incompatible: 1120, readOnly: 1124 },
  uuid: 1128,
  label: 1144,
};
const HAS_JOURNAL = 0x4;
/** Features that ext3 does not have: extents, 64bit, flex_bg; huge_file, and on. */
const EXT4_INCOMPATIBLE = ~0x16;
const EXT4_READ_ONLY = ~0x7;

export function probeContent(read: ReadDevice, sizeBytes: number): Content {
  const head = read(0, Math.min(HEAD_BYTES, sizeBytes));
  const found = probeHead(head);
  if (found !== undefined) return found;
  const tailAt = Math.max(head.length, sizeBytes - TAIL_BYTES);
  const tail = tailAt >= sizeBytes ? new Uint8Array(0) : read(tailAt, sizeBytes - tailAt);
  return isZero(head) && isZero(tail) ? { kind: 'empty' } : { kind: 'data' };
}

function probeHead(head: Uint8Array): Content | undefined {
  for (const { type, at, magic, label, uuid } of KNOWN)
    if (text(head, at, magic.length) === magic)
      return {
        kind: 'known',
        type,
        label: label === undefined ? '' : trimmed(text(head, label.at, label.bytes)),
        uuid: uuid === undefined ? '' : uuid.form === 'uuid' ? uuidAt(head, uuid.at) : fatId(head, uuid.at),
      };
  if (text(head, EXT.magic, 2) !== '\x53\xef') return undefined;
  const { compatible, incompatible, readOnly } = EXT.features;
  const isExt4 =
    (u32(head, incompatible) & EXT4_INCOMPATIBLE) !== 0 || (u32(head, readOnly) & EXT4_READ_ONLY) !== 0;
  const hasJournal = (u32(head, compatible) & HAS_JOURNAL) !== 0;
  return {
    kind: 'known',
    type: isExt4 ? 'ext4' : hasJournal ? 'ext3' : 'ext2',
    label: trimmed(text(head, EXT.label, 16)),
    uuid: uuidAt(head, EXT.uuid),
  };
}

export function isZero(bytes: Uint8Array): boolean {
  // Four at a time: QuickJS takes its time.
  const whole = bytes.byteOffset % 4 === 0 ? Math.floor(bytes.length / 4) : 0;
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset - (bytes.byteOffset % 4), whole);
  return words.every((word) => word === 0) && bytes.subarray(whole * 4).every((byte) => byte === 0);
}

function text(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/** FAT fills up with blanks, others with zeros; FAT writes `NO NAME` for none. */
function trimmed(label: string): string {
  const plain = label.replace(/\0[^]*$/, '').trimEnd();
  return plain === 'NO NAME' ? '' : plain;
}

function uuidAt(bytes: Uint8Array, at: number): string {
  const hex = [...bytes.subarray(at, at + 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** As blkid writes it: `1A2B-3C4D`. */
function fatId(bytes: Uint8Array, at: number): string {
  const hex = u32(bytes, at).toString(16).toUpperCase().padStart(8, '0');
  return `${hex.slice(0, 4)}-${hex.slice(4)}`;
}

function u32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)) >>>
    0
  );
}
