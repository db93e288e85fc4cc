/** Types of partitions: `82`, `linux`, `swap`, a GUID. cloud-init's layouts name them by the codes of an MBR. */

interface TypeNames {
  readonly mbr: string;
  readonly gpt: string;
  readonly names: readonly string[];
}

const LINUX: TypeNames = { mbr: '83', gpt: '0fc63daf-8483-4772-8e79-3d69d8477de4', names: ['linux', '8300'] };
const TYPES: readonly TypeNames[] = [
  LINUX,
  { mbr: '82', gpt: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f', names: ['swap', '8200'] },
  { mbr: '8e', gpt: 'e6d6d379-f507-44c2-a23c-238f2a3df928', names: ['lvm', '8e00'] },
  { mbr: 'fd', gpt: 'a19d880f-05fc-4d3b-a006-743f0f84911e', names: ['raid', 'fd00'] },
  { mbr: 'ef', gpt: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b', names: ['uefi', 'esp', 'ef00'] },
  { mbr: '07', gpt: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7', names: ['7', 'ntfs', '0700'] },
  { mbr: '0c', gpt: 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7', names: ['c', 'vfat', '0c00'] },
];
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** As a table of that kind holds it: a GUID, or two digits. */
export function partitionType(written: string | null, table: 'gpt' | 'mbr'): string | undefined {
  const text = (written ?? LINUX.mbr).toLowerCase();
  const known = TYPES.find(({ mbr, gpt, names }) => mbr === text || gpt === text || names.includes(text));
  if (known !== undefined) return known[table];
  if (table === 'gpt') return GUID.test(text) ? text : undefined;
  return /^[0-9a-f]{1,2}$/.test(text) && Number.parseInt(text, 16) > 0 ? text.padStart(2, '0') : undefined;
}

export function sameType(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
