/**
 * From power-on to slipd: the firmware's choice of a boot loader, systemd-boot 262's of a UKI (src/boot/boot.c: boot_entry_compare, boot_entry_bump_counters,
 * config_select_default_entry), the kernel's and /init's of a root. Reads the disk with fat-reader.ts alone.
 */
import { VENDORS } from '../../../updater/device/switch/boot-disk.ts';
import type { RunningVersion, SlotName } from '../../../updater/device/switch/facts.ts';
import { compareVersions } from '../../../spec/version.ts';
import { openFat, type FirmwareFat } from './fat-reader.ts';
import { fatShape } from './fat-shape.ts';
import { flushSectors, readSector, type Random } from './medium.ts';
import { renameByFirmware } from './vfat.ts';
import { IMAGE, loaderContent, rootHashOf, rootIn, ukiContent, type World } from './world.ts';

/** Something that must never be, was. */
export class Violation extends Error {}

export interface MenuEntry {
  readonly name: string;
  readonly version: string;
  /** `undefined`: not counted. */
  readonly tries: { readonly left: number; readonly done: number } | undefined;
  /** All its bytes are those that were signed. */
  readonly whole: boolean;
}

export interface Boot {
  readonly running: RunningVersion;
  /** What was tried before anything else. */
  readonly first: string;
  /** A version that could not open its root, and asked for this one. */
  readonly fallbackFrom: string | undefined;
}

const MOST_STARTS = 12;
export const LOADERS = ['EFI/systemd/systemd-bootx64.efi', 'EFI/BOOT/BOOTX64.EFI'] as const;
export const LOADER_VERSIONS = ['262', '263'] as const;

/** Power on. `tick` is called where systemd-boot's own renaming can be cut. Throws Violation where no version comes up, or a wrong one. */
export async function startMachine(
  world: World,
  tick: (what: string) => Promise<void> | void,
  random: Random,
): Promise<Boot> {
  let first: string | undefined;
  for (let start = 0; start < MOST_STARTS; start++) {
    const loader = startLoader(world);
    const entry = chooseEntry(world, readMenu(world), random);
    if (entry === undefined) throw new Violation('the boot loader finds nothing to start');
    first ??= entry.version;
    const counted = entry.tries === undefined ? undefined : await countDown(world, entry, tick, random);
    if (!entry.whole) throw new Violation(`a UKI that is not whole is started: ${entry.name}`);
    const behaviour = world.behaviour[entry.version];
    if (behaviour === 'panics' || (behaviour === 'falters' && entry.tries?.done === 0)) continue;
    if (behaviour === 'rootless') {
      askForOther(world, entry.version);
      continue;
    }
    const slot = slotOf(world, entry.version);
    const fallbackFrom = readText(world, 'SlipwayFallback', VENDORS.slipway);
    setVolatile(world, loader, counted);
    const rootHash = rootHashOf(entry.version);
    const { version } = entry;
    const trial = counted !== undefined;
    return {
      first,
      fallbackFrom,
      running: { image: IMAGE, version, architecture: 'amd64', rootHash, slot, trial },
    };
  }
  throw new Violation(`nothing comes up in ${MOST_STARTS} starts`);
}

/** What systemd-boot lists, in its order. */
export function readMenu(world: World): readonly MenuEntry[] {
  const fat = espOf(world);
  const entries = (fat.list('EFI/Linux') ?? []).flatMap((file): MenuEntry[] => {
    if (file.directory || !/\.efi$/i.test(file.name) || /^auto-/i.test(file.name)) return [];
    // The os-release of a UKI lies in front: it may be there when the rest is not.
    const head = fat.content(file, 512)?.toString('latin1');
    const version = /^UKI (\S+)\n/.exec(head ?? '')?.[1];
    if (version === undefined) return [];
    const counter = /\+(\d+)(?:-(\d+))?\.efi$/i.exec(file.name);
    const tries =
      counter === null ? undefined : { left: Number(counter[1]), done: Number(counter[2] ?? '0') };
    const whole = fat.content(file)?.equals(ukiContent(version)) ?? false;
    return [{ name: file.name, version, tries, whole }];
  });
  return entries.sort(
    (a, b) =>
      Number(a.tries?.left === 0) - Number(b.tries?.left === 0) || compareVersions(b.version, a.version),
  );
}

export function espOf(world: World): FirmwareFat {
  return openFat((sector) => readSector(world.medium, sector));
}

/** `old` and `new`: whole ones. `unreadable`: the firmware refuses it and goes on. */
export function loaderState(world: World, path: string): string {
  const fat = espOf(world);
  const [directory, name] = [path.replace(/\/[^/]*$/, ''), path.replace(/^.*\//, '').toLowerCase()];
  const file = fat.list(directory)?.find((entry) => entry.name.toLowerCase() === name);
  const bytes = file === undefined ? undefined : fat.content(file);
  if (bytes === undefined || bytes.length === 0) return 'unreadable';
  return LOADER_VERSIONS.find((version) => bytes.equals(loaderContent(version))) ?? 'garbage';
}

function startLoader(world: World): string {
  const next = readText(world, 'BootNext', VENDORS.firmware);
  remove(world, [`BootNext-${VENDORS.firmware}`]);
  for (const path of [...(next === undefined ? [] : [next]), ...LOADERS]) {
    const state = loaderState(world, path);
    if (state === 'garbage') throw new Violation(`a boot loader that is not whole is started: ${path}`);
    if (state !== 'unreadable') return path;
  }
  throw new Violation('the firmware finds no boot loader');
}

/** OneShot, then Preferred and Default, then the first of the menu. Between two of one version and one count nothing decides: both must be good. */
function chooseEntry(world: World, menu: readonly MenuEntry[], random: Random): MenuEntry | undefined {
  const bare = (name: string): string => name.toLowerCase().replace(/\+[0-9-]+\.efi$/, '.efi');
  for (const variable of ['LoaderEntryOneShot', 'LoaderEntryPreferred', 'LoaderEntryDefault']) {
    const wanted = readText(world, variable, VENDORS.loader);
    if (variable === 'LoaderEntryOneShot') remove(world, [`${variable}-${VENDORS.loader}`]);
    const found = wanted === undefined ? undefined : menu.find(({ name }) => bare(name) === bare(wanted));
    if (found !== undefined) return found;
  }
  const [top] = menu;
  const twins = menu.filter(
    ({ version, tries }) => version === top?.version && (tries?.left === 0) === (top.tries?.left === 0),
  );
  return twins[Math.floor(random() * twins.length)];
}

/** Returns the name that it has now: `undefined` where that was taken, which the firmware refuses (UEFI specification, EFI_FILE_PROTOCOL.SetInfo): then it is started uncounted. */
async function countDown(
  world: World,
  { name: from, tries }: MenuEntry,
  tick: (what: string) => Promise<void> | void,
  random: Random,
): Promise<string | undefined> {
  const to = `${/^(.*)\+/.exec(from)![1]!}+${Math.max(0, tries!.left - 1)}-${tries!.done + 1}.efi`;
  const isTaken = espOf(world)
    .list('EFI/Linux')
    ?.some(({ name }) => name.toLowerCase() === to.toLowerCase());
  if (isTaken === true) return undefined;
  // Cut there, it may be any of both that is started.
  const { next: _, ...ledger } = world.ledger;
  world.ledger = ledger;
  const shape = fatShape(world.clusters);
  const fat = { medium: world.medium, shape, nextFree: 3 + Math.floor(random() * world.clusters) };
  flushSectors(world.medium, [...world.medium.pending.keys()]);
  renameByFirmware(fat, `EFI/Linux/${from}`, `EFI/Linux/${to}`);
  // EDK II writes neighbouring sectors of its cache in one request. Torn in two, the name could lose its counter, which no protocol of ours can help.
  world.medium.together = true;
  await tick(`systemd-boot renames ${from}`);
  world.medium.together = false;
  flushSectors(world.medium, [...world.medium.pending.keys()]);
  return to;
}

function slotOf(world: World, version: string): SlotName {
  for (const slot of ['a', 'b'] as const) {
    const found = rootIn(world, slot, version);
    if (found === 'torn')
      throw new Violation(`${version} is started, and its root in slot ${slot} is not whole`);
    if (found === 'whole') return slot;
  }
  throw new Violation(`${version} is started, and no slot holds its root`);
}

/** /init that cannot open its root (host/boot/failure): once. */
function askForOther(world: World, version: string): void {
  if (readText(world, 'SlipwayFallback', VENDORS.slipway) !== undefined) return;
  const other = readMenu(world).find((entry) => entry.version !== version);
  if (other === undefined) return;
  const text = (value: string): Uint8Array => Buffer.from(`${value}\0`, 'utf16le');
  world.variables = new Map([
    ...world.variables,
    [`SlipwayFallback-${VENDORS.slipway}`, text(version)],
    [`LoaderEntryOneShot-${VENDORS.loader}`, text(other.name)],
  ]);
}

/** What systemd-boot tells, and what the machine's first programs take away (host/boot/background). */
function setVolatile(world: World, loader: string, counted: string | undefined): void {
  remove(world, [
    ...['OneShot', 'Preferred', 'Default'].map((name) => `LoaderEntry${name}-${VENDORS.loader}`),
    `SlipwayFallback-${VENDORS.slipway}`,
  ]);
  const variables = new Map(world.variables);
  const set = (name: string, text: string): void =>
    void variables.set(`${name}-${VENDORS.loader}`, Buffer.from(`${text}\0`, 'utf16le'));
  variables.delete(`LoaderBootCountPath-${VENDORS.loader}`);
  if (counted !== undefined) set('LoaderBootCountPath', `\\EFI\\Linux\\${counted}`);
  set('LoaderImageIdentifier', `\\${loader.replaceAll('/', '\\')}`);
  world.variables = variables;
}

function readText(world: World, name: string, vendor: string): string | undefined {
  const bytes = world.variables.get(`${name}-${vendor}`);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf16le').replace(/\0.*$/, '');
}

function remove(world: World, keys: readonly string[]): void {
  if (keys.some((key) => world.variables.has(key)))
    world.variables = new Map([...world.variables].filter(([key]) => !keys.includes(key)));
}
