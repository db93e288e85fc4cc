/** What a disk image holds. */
import { SlipwayError } from '../../spec/error.ts';
import { readFat, type FatFile } from '../esp/read.ts';
import { GPT_HEAD_BYTES, decodeGpt, type GptPartition } from '../gpt/table.ts';
import { checkVerity } from '../verity/check.ts';
import {
  VERITY_SUPERBLOCK_BYTES,
  readVeritySuperblock,
  slotUuid,
  type VeritySuperblock,
} from '../verity/superblock.ts';
import { inspectPe, type PeReport, type TrustAnchor } from './pe.ts';
import { inspectRoot, type RootReport } from './root.ts';
import { partOf, type ByteSource } from './source.ts';

export interface SlotReport {
  readonly name: 'a' | 'b';
  readonly state: 'empty' | 'filled';
  /** First half of its root hash, as a UUID. */
  readonly uuid?: string;
  /** The UKIs on the ESP that boot it. */
  readonly ukis: readonly string[];
  /** Where it was asked for: whether root and tree are what those UKIs' root hash says, every block of them. */
  readonly intact?: boolean;
  readonly root?: RootReport;
}

export interface DiskOptions {
  readonly anchors?: readonly TrustAnchor[];
  /** `contents` reads the roots and checks every block against the root hash. */
  readonly check?: 'structure' | 'contents';
}

export interface DiskReport {
  readonly kind: 'disk';
  readonly sizeBytes: number;
  readonly sectorSize: number;
  readonly diskGuid: string;
  readonly layout: string | undefined;
  readonly partitions: readonly GptPartition[];
  readonly esp: readonly { readonly path: string; readonly sizeBytes: number }[];
  readonly loaderConf?: string;
  /** Every PE image on the ESP. */
  readonly programs: readonly (PeReport & { readonly path: string })[];
  readonly slots: readonly SlotReport[];
  readonly problems: readonly string[];
}

/** Throws `gpt.invalid` where there is no usable partition table; whatever else is damaged stands in `problems`. */
export async function inspectDisk(
  source: ByteSource,
  { anchors, check = 'structure' }: DiskOptions,
): Promise<DiskReport> {
  const table = decodeGpt(await source.read(0, Math.min(GPT_HEAD_BYTES, source.sizeBytes)), source.sizeBytes);
  if (table === undefined) throw new SlipwayError('gpt.invalid', 'it has no GUID partition table');
  const problems: string[] = [];
  const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SlipwayError) && !(error instanceof RangeError)) throw error;
      problems.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const partition = (name: string): ByteSource | undefined => {
    const found = table.partitions.find((candidate) => candidate.name === name);
    return found === undefined ? undefined : partOf(source, found.offsetBytes, found.sizeBytes);
  };

  const esp = partition('esp');
  const files =
    esp === undefined ? [] : ((await attempt('esp', () => readFat(esp))) ?? ([] as readonly FatFile[]));
  const programs: (PeReport & { path: string })[] = [];
  for (const file of files.filter(({ path }) => /\.efi$/i.test(path))) {
    const report = await attempt(file.path, async () => inspectPe(await file.read(), anchors));
    if (report !== undefined) programs.push({ path: file.path, ...report });
  }
  const conf = files.find((file) => file.path === 'loader/loader.conf');
  const slots: SlotReport[] = [];
  for (const name of ['a', 'b'] as const) {
    const [root, verity] = [partition(`root-${name}`), partition(`verity-${name}`)];
    const slot = await attempt(`slot ${name}`, () => inspectSlot(name, root, verity, programs, check));
    if (slot !== undefined) slots.push(slot);
  }
  const loaderConf = conf === undefined ? undefined : await attempt(conf.path, () => conf.read());
  return {
    kind: 'disk',
    sizeBytes: source.sizeBytes,
    sectorSize: table.sectorSize,
    diskGuid: table.diskGuid,
    layout: await attempt('slipway-reserved', () => layoutRecord(partition('slipway-reserved'))),
    partitions: table.partitions,
    esp: files.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
    ...(loaderConf === undefined ? {} : { loaderConf: loaderConf.toString('utf8') }),
    programs,
    slots,
    problems,
  };
}

async function inspectSlot(
  name: 'a' | 'b',
  root: ByteSource | undefined,
  verity: ByteSource | undefined,
  programs: readonly (PeReport & { path: string })[],
  check: 'structure' | 'contents',
): Promise<SlotReport> {
  const superblock =
    verity === undefined ? undefined : readVeritySuperblock(await verity.read(0, VERITY_SUPERBLOCK_BYTES));
  if (superblock === undefined || root === undefined || verity === undefined) {
    return { name, state: 'empty', ukis: [] };
  }
  const ukis = programs.filter(
    ({ rootHash }) => rootHash !== undefined && slotUuid(rootHash) === superblock.uuid,
  );
  return {
    name,
    state: 'filled',
    uuid: superblock.uuid,
    ukis: ukis.map(({ path }) => path),
    ...(check === 'structure' ? {} : { intact: await isIntact(root, verity, superblock, ukis) }),
    root: await inspectRoot(root),
  };
}

/** A UKI's root hash is what is signed: without one there is nothing to be intact by. */
async function isIntact(
  root: ByteSource,
  verity: ByteSource,
  superblock: VeritySuperblock,
  ukis: readonly PeReport[],
): Promise<boolean> {
  const { rootHash, treeMatches } = await checkVerity(root, verity, superblock);
  return treeMatches && ukis.length > 0 && ukis.every((uki) => uki.rootHash === rootHash);
}

async function layoutRecord(reserved: ByteSource | undefined): Promise<string | undefined> {
  if (reserved === undefined) return undefined;
  const text = (await reserved.read(0, 64)).toString('latin1');
  return /^slipway layout ([\d.]+)\n/.exec(text)?.[1];
}
