/** Offline sources as bytes alone: what the small program of each boot compares with the adopted copies. Nothing here reads YAML. */
import type { DatasourceName, ProvisioningPolicy } from '../../../spec/provisioning.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { lookAtBuiltIn } from './built-in.ts';
import { readCommandLine } from './command-line.ts';
import { readDmi, type Dmi } from './dmi.ts';
import type { Documents, Seed } from './found.ts';
import { gunzip } from './gunzip.ts';
import { eachMedium, type Medium } from './medium/devices.ts';
import { loadStorageDrivers } from './medium/drivers.ts';
import { isNoCloudMedium, readNoCloudMedium } from './nocloud.ts';
import { parseNoCloudLine } from './nocloud-line.ts';
import { isConfigDrive, readConfigDrive } from './openstack-drive.ts';
import { isVmware, onlineSource } from './platform.ts';
import { lookAtFirmwareConfig } from './qemu.ts';
import { lookAtSeedDirectory } from './seed-directory.ts';
import { lookAtCredentials } from './smbios.ts';
import { isOvfMedium, lookAtGuestInfo, readOvfMedium } from './vmware.ts';

export interface LookOptions {
  /**
   * `present`: only block devices whose driver is loaded. `all` (default): where nothing was found on those, the drivers of the machine's other storage
   * controllers and of CD drives are loaded, and looked at once more; that costs nothing where there are none, else 0.1 to 1.5 s.
   */
  readonly storage?: 'present' | 'all';
}

/** Which sources are asked at all: those that the policy hears, and where it names the platform, that one and what is built in. */
export function heard(policy: ProvisioningPolicy): (source: DatasourceName) => boolean {
  return (source) =>
    policy.sources[source] !== undefined &&
    (policy.platform === 'auto' || policy.platform === source || source === 'built-in');
}

/** Throws SlipwayError `provision.*` as `findOffline`. */
export async function lookOffline(
  system: System,
  policy: ProvisioningPolicy,
  options: LookOptions = {},
): Promise<Seed | undefined> {
  const hears = heard(policy);
  const dmi = readDmi(system);
  const found =
    (hears('qemu') ? lookAtFirmwareConfig(system) : undefined) ??
    (hears('smbios') ? lookAtCredentials(system) : undefined) ??
    (hears('nocloud') ? lookAtSeedDirectory(system) : undefined) ??
    (await lookAtMedia(system, hears, options)) ??
    (hears('vmware') && isVmware(dmi) ? await lookAtGuestInfo(system) : undefined);
  const seed = withLine(found, system, hears, dmi) ?? (await lookAtLine(system, hears, dmi));
  if (seed !== undefined) return seed;
  // A platform with a metadata service may have more to say.
  const platform = policy.platform === 'auto' ? onlineSource(dmi) : policy.platform;
  const online = platform !== undefined && platform !== 'built-in' && hears(platform);
  return hears('built-in') && !online ? lookAtBuiltIn(system) : undefined;
}

type Hears = (source: DatasourceName) => boolean;

interface MediumSource {
  readonly name: DatasourceName;
  readonly is: (medium: Medium) => boolean;
  readonly read: (system: System, medium: Medium) => Seed | undefined;
}

const MEDIUM_SOURCES: readonly MediumSource[] = [
  { name: 'nocloud', is: isNoCloudMedium, read: (_system, medium) => readNoCloudMedium(medium) },
  { name: 'openstack', is: isConfigDrive, read: (_system, medium) => readConfigDrive(medium) },
  { name: 'vmware', is: isOvfMedium, read: readOvfMedium },
];

async function lookAtMedia(system: System, hears: Hears, options: LookOptions): Promise<Seed | undefined> {
  const sources = MEDIUM_SOURCES.filter(({ name }) => hears(name));
  if (sources.length === 0) return undefined;
  const found = readMedia(system, sources);
  if (found !== undefined || options.storage === 'present') return found;
  return (await loadStorageDrivers(system)) ? readMedia(system, sources) : undefined;
}

function readMedia(system: System, sources: readonly MediumSource[]): Seed | undefined {
  const seeds: { readonly seed: Seed; readonly disk: string }[] = [];
  eachMedium(system, (medium) => {
    const source = sources.find(({ is }) => is(medium));
    const seed = source?.read(system, medium);
    if (seed !== undefined) seeds.push({ seed, disk: medium.disk });
    return undefined;
  });
  for (const { name } of sources) {
    const [first, ...others] = seeds.filter(({ seed }) => seed.source === name);
    if (first === undefined) continue;
    const elsewhere = others.filter(({ disk }) => disk !== first.disk);
    // A hybrid disc shows its file system twice, as the disk and as its partition; two disks with one label are a guess.
    const other = elsewhere.find(({ seed }) => !sameDocuments(seed.documents, first.seed.documents));
    if (other !== undefined)
      throw new SlipwayError(
        'provision.ambiguous',
        `${first.seed.origin} and ${other.seed.origin} hold different provisioning data`,
        { hint: 'leave one of them in the machine' },
      );
    const notes = elsewhere.map(({ seed }) => `${seed.origin} holds the same`);
    return { ...first.seed, notes: [...first.seed.notes, ...notes] };
  }
  return undefined;
}

function sameDocuments(one: Documents, other: Documents): boolean {
  const names = ['userData', 'vendorData', 'networkConfig', 'rawMetaData'] as const;
  return names.every((name) => sameBytes(one[name], other[name]));
}

/** Also of use to who compares with adopted copies. */
export function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** A name and an id of the firmware's go before those on the disk; where it sends on to an address, that does. */
function withLine(found: Seed | undefined, system: System, hears: Hears, dmi: Dmi): Seed | undefined {
  if (found?.source !== 'nocloud') return found;
  const line =
    parseNoCloudLine(dmi.productSerial, dmi) ??
    (hears('command-line') ? readCommandLine(system, dmi).line : undefined);
  return line === undefined ? found : { ...found, line };
}

/** Without a disk. */
async function lookAtLine(system: System, hears: Hears, dmi: Dmi): Promise<Seed | undefined> {
  const line = hears('nocloud') ? parseNoCloudLine(dmi.productSerial, dmi) : undefined;
  if (line !== undefined)
    return { source: 'nocloud', origin: 'the SMBIOS serial number', documents: {}, line, notes: [] };
  if (!hears('command-line')) return undefined;
  const words = readCommandLine(system, dmi);
  const origin = 'the kernel’s command line';
  if (words.line !== undefined)
    return { source: 'command-line', origin, documents: {}, line: words.line, notes: [] };
  if (words.networkConfig === undefined && words.configUrl === undefined) return undefined;
  const documents: Documents =
    words.networkConfig === undefined ? {} : { networkConfig: await gunzip(system, words.networkConfig) };
  const seed: Seed = { source: 'command-line', origin, documents, notes: [] };
  return words.configUrl === undefined ? seed : { ...seed, configUrl: words.configUrl };
}
