/** What a disk image holds. */
import { SlipwayError } from '../../spec/error.ts';
import { readFat, type FatFile } from '../esp/read.ts';
import { GPT_HEAD_BYTES, decodeGpt, type GptPartition } from '../gpt/table.ts';
import { VERITY_SUPERBLOCK_BYTES, readVeritySuperblock, slotUuid } from '../verity/superblock.ts';
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
  readonly root?: RootReport;
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
  anchors: readonly TrustAnchor[] | undefined,
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
    const slot = await attempt(`slot ${name}`, () =>
      inspectSlot(name, partition(`root-${name}`), partition(`verity-${name}`), programs),
    );
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
): Promise<SlotReport> {
  const superblock =
    verity === undefined ? undefined : readVeritySuperblock(await verity.read(0, VERITY_SUPERBLOCK_BYTES));
  if (superblock === undefined || root === undefined) return { name, state: 'empty', ukis: [] };
  const ukis = programs.filter(
    ({ rootHash }) => rootHash !== undefined && slotUuid(rootHash) === superblock.uuid,
  );
  return {
    name,
    state: 'filled',
    uuid: superblock.uuid,
    ukis: ukis.map(({ path }) => path),
    root: await inspectRoot(root),
  };
}

async function layoutRecord(reserved: ByteSource | undefined): Promise<string | undefined> {
  if (reserved === undefined) return undefined;
  const text = (await reserved.read(0, 64)).toString('latin1');
  return /^slipway layout ([\d.]+)\n/.exec(text)?.[1];
}
