/** A whole machine at rest: what its disk and its firmware remember, and what is known about its versions. */
import { OWN_README } from '../../../spec/esp.ts';
import { createHash } from 'node:crypto';
import type { SlotName } from '../../../updater/device/switch/facts.ts';
import { makeSuperblock } from '../../../updater/device/switch/superblock.ts';
import type { ReleaseManifest } from '../../../updater/release/document.ts';
import { manifestOf, rootHashOf } from '../device/switch/memory-disk.ts';
import { fatShape } from './fat-shape.ts';
import {
  emptyMedium,
  flushSectors,
  patchSector,
  readSector,
  SECTOR_BYTES,
  writeAllInodes,
  type Medium,
} from './medium.ts';
import { appendFile, createFile, formatFat, makeDirectory, removeFile, type Vfat } from './vfat.ts';

export interface World {
  medium: Medium;
  /** Of the ESP. */
  readonly clusters: number;
  variables: ReadonlyMap<string, Uint8Array>;
  recordExists: boolean;
  readonly espReadOnly: boolean;
  /** Nothing more can be made on the state partition. */
  readonly stateFull: boolean;
  readonly behaviour: Behaviour;
  ledger: Ledger;
}

/** What is wrong with a version; nothing, where it is not named. `falters`: its kernel panics at the first start, a gate fails at a later one. */
export type Behaviour = Readonly<Record<string, 'panics' | 'unhealthy' | 'rootless' | 'falters'>>;

/** What must hold of every medium from here on, whatever is cut. */
export interface Ledger {
  /** Versions that may be what runs in the end. */
  readonly mayRun: ReadonlySet<string>;
  /** Versions that may be started without a counter: gates were healthy, or an operator chose them. */
  readonly good: ReadonlySet<string>;
  /** What was promised to be started next: somebody was told that it is done. */
  readonly next?: string;
  /** Versions that the record must name as failed. */
  readonly failed: ReadonlySet<string>;
  /** Number of the last record that was flushed. */
  readonly sequence: number;
  /** What is being brought here. */
  readonly target?: string;
}

/** Where the parts of the disk begin, in sectors. */
const REGIONS = {
  'data-a': 1_000_000,
  'tree-a': 1_100_000,
  'data-b': 2_000_000,
  'tree-b': 2_100_000,
  record: 3_000_000,
} as const;
export const ROOT_SECTORS = 6;
export const TREE_SECTORS = 2;
export const IMAGE = 'minimal';
/** Three clusters, the last of them in part. */
const UKI_BYTES = 9000;
const LOADER_BYTES = 5000;

export function region(name: keyof typeof REGIONS): number {
  return REGIONS[name];
}

/** For landings: sectors that are likely to share their fate. */
export function kindOfSector({ clusters }: World): (sector: number) => string {
  const shape = fatShape(clusters);
  return (sector) => {
    const found = Object.entries(REGIONS)
      .reverse()
      .find(([, start]) => sector >= start);
    if (found !== undefined) return `${found[0]}${found[0].startsWith('tree') ? sector === found[1] : ''}`;
    if (sector < shape.dataStart) return `table ${sector < shape.firstFat + shape.fatSectors}`;
    return `cluster ${Math.floor((sector - shape.dataStart) / 8)}`;
  };
}

const made = new Map<string, Uint8Array>();

/** Sectors that differ from each other and from those of every other text. */
function content(text: string, sizeBytes: number): Uint8Array {
  const key = `${text} ${sizeBytes}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const bytes = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes; at += SECTOR_BYTES)
    bytes.write(`${text}\n${createHash('sha256').update(`${text} ${at}`).digest('hex')}`, at);
  made.set(key, new Uint8Array(bytes));
  return made.get(key)!;
}

export const ukiContent = (version: string): Uint8Array => content(`UKI ${version}`, UKI_BYTES);
export const loaderContent = (version: string): Uint8Array => content(`LOADER ${version}`, LOADER_BYTES);
export const rootContent = (version: string): Uint8Array =>
  content(`ROOT ${version}`, ROOT_SECTORS * SECTOR_BYTES);
export const treeContent = (version: string): Uint8Array =>
  content(`TREE ${version}`, TREE_SECTORS * SECTOR_BYTES);

export function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const manifests = new Map<string, ReleaseManifest>();

export function releaseOf(version: string): ReleaseManifest {
  const known = manifests.get(version);
  if (known !== undefined) return known;
  const plain = manifestOf(version);
  const uki = { ...plain.uki, sizeBytes: UKI_BYTES, sha256: digestOf(ukiContent(version)) };
  manifests.set(version, { ...plain, uki });
  return manifests.get(version)!;
}

/** Which version a slot holds whole: its superblock, every sector of data and tree. */
export function rootIn(world: World, slot: SlotName, version: string): 'whole' | 'torn' | 'other' {
  const sectors = (start: number, count: number): Buffer =>
    Buffer.concat(Array.from({ length: count }, (_, index) => readSector(world.medium, start + index)));
  const superblock = readSector(world.medium, region(`tree-${slot}`));
  if (
    Buffer.compare(superblock.subarray(0, 32), makeSuperblock(releaseOf(version).root).subarray(0, 32)) !== 0
  )
    return 'other';
  const isWhole =
    sectors(region(`data-${slot}`), ROOT_SECTORS).equals(rootContent(version)) &&
    sectors(region(`tree-${slot}`) + 1, TREE_SECTORS).equals(treeContent(version)) &&
    Buffer.from(superblock).equals(Buffer.from(makeSuperblock(releaseOf(version).root)));
  return isWhole ? 'whole' : 'torn';
}

/** Versions that have been made, and so may lie in a slot. */
export function knownVersions(): readonly string[] {
  return [...manifests.keys()];
}

export interface Start {
  /** Committed, in slot A, and what runs. */
  readonly version: string;
  /** In slot B. */
  readonly before?: string;
  /** More files of the ESP, and names of UKIs that are other than `minimal_<version>.efi`. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  readonly clusters?: number;
  readonly variables?: Readonly<Record<string, string>>;
  readonly espReadOnly?: boolean;
  readonly stateFull?: boolean;
  readonly behaviour?: Behaviour;
}

export function makeWorld(start: Start): World {
  const { version, before, clusters = 320 } = start;
  const medium = emptyMedium();
  const fat = formatFat(medium, clusters);
  const files: Record<string, Uint8Array> = {
    'EFI/BOOT/BOOTX64.EFI': loaderContent('262'),
    'EFI/systemd/systemd-bootx64.efi': loaderContent('262'),
    // The builder's: it holds the directory (spec/esp.ts).
    [OWN_README.path]: Buffer.from(OWN_README.text),
    ...start.files,
    [`EFI/Linux/${IMAGE}_${version}.efi`]: ukiContent(version),
    ...(before === undefined ? {} : { [`EFI/Linux/${IMAGE}_${before}.efi`]: ukiContent(before) }),
  };
  for (const [path, bytes] of Object.entries(files)) putFile(fat, path, bytes);
  // A directory that was longer once: no end mark comes before a name that a later cut tears (docs/recovery.md, what stays uncovered).
  const worn = Array.from({ length: 12 }, (_, index) => `EFI/Linux/of an earlier time ${index}.txt`);
  for (const path of worn) putFile(fat, path, new Uint8Array(0));
  for (const path of worn) removeFile(fat, path);
  putRoot(medium, 'a', version);
  if (before !== undefined) putRoot(medium, 'b', before);
  writeAllInodes(medium);
  flushSectors(medium, medium.pending.keys());
  const versions = new Set([version, ...(before === undefined ? [] : [before])]);
  return {
    medium,
    clusters,
    variables: new Map(
      Object.entries(start.variables ?? {}).map(([name, text]) => [
        name,
        Buffer.from(`${text}\0`, 'utf16le'),
      ]),
    ),
    recordExists: false,
    espReadOnly: start.espReadOnly ?? false,
    stateFull: start.stateFull ?? false,
    behaviour: start.behaviour ?? {},
    ledger: { mayRun: new Set([version]), good: versions, failed: new Set(), sequence: 0 },
  };
}

export function putFile(fat: Vfat, path: string, bytes: Uint8Array): void {
  const parts = path.split('/');
  for (let index = 1; index < parts.length; index++) makeDirectory(fat, parts.slice(0, index).join('/'));
  createFile(fat, path);
  if (bytes.length > 0) appendFile(fat, path, bytes);
}

function putRoot(medium: Medium, slot: SlotName, version: string): void {
  writeAt(medium, region(`data-${slot}`), rootContent(version));
  writeAt(medium, region(`tree-${slot}`) + 1, treeContent(version));
  patchSector(medium, region(`tree-${slot}`), 0, makeSuperblock(releaseOf(version).root));
}

/** Bytes from the start of a sector on. */
export function writeAt(medium: Medium, start: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += SECTOR_BYTES)
    patchSector(medium, start + at / SECTOR_BYTES, 0, bytes.subarray(at, at + SECTOR_BYTES));
}

export { rootHashOf };
