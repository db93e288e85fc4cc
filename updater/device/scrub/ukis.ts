/** Reads the UKIs of good versions on the boot partition, and replaces what is rotten or gone: from the copy that is kept beside them, or from the repository. */
import { UKI_COPY } from '../../../spec/esp.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { BootDisk, Esp } from '../switch/boot-disk.ts';
import { runningEntry, ukiEntries, type UkiEntry } from '../switch/entries.ts';
import type { RunningVersion } from '../switch/facts.ts';
import { listCopy } from '../switch/guard.ts';
import { missingUkis } from './missing.ts';
import { keepCopy, repairUki } from '../switch/repair-uki.ts';

export interface PublishedUki {
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Makes it; `sourcePath`: another version's, where there is a good one. */
  readonly produce: (outputPath: string, sourcePath: string | undefined) => Promise<void>;
}

export interface UkiScrub {
  readonly disk: BootDisk;
  readonly running: RunningVersion;
  /** Digest by version: what was installed, or found at the first look. */
  readonly known: Readonly<Record<string, string>>;
  readonly copy: (fromPath: string, outputPath: string) => Promise<void>;
  /** From the repository; `undefined` where there is none, or no network. */
  readonly published: (version: string) => Promise<PublishedUki | undefined>;
}

export interface UkiFinding {
  readonly version: string;
  readonly state: 'good' | 'repaired' | 'rotten';
  /** There was none. */
  readonly missing?: true;
  /** What it must be; `undefined` where that is not known. */
  readonly sha256: string | undefined;
  /** Of the version that runs: there is a copy of it. */
  readonly copy?: 'kept';
  /** Why it could not be repaired. */
  readonly detail?: string;
}

/** Throws `switch.esp` where the boot partition cannot be mounted, and what ends it from outside. */
export function scrubUkis(options: UkiScrub): Promise<readonly UkiFinding[]> {
  return options.disk.withEsp(async (esp) => {
    await esp.dropCaches();
    const { running } = options;
    const entries = await ukiEntries(esp);
    const missing = await missingUkis(options.disk, esp, running, entries);
    const own = await runningEntry(options.disk, [...entries, ...missing], running);
    const findings: UkiFinding[] = [];
    // What is counted has yet to prove itself, or has failed.
    const good = entries.filter(({ image, tries }) => image === running.image && tries === undefined);
    for (const entry of [...missing, ...good]) {
      const scrubbed = await scrubOne(esp, options, entry, entries);
      const finding = missing.includes(entry) ? { ...scrubbed, missing: true as const } : scrubbed;
      const kept =
        entry.path === own?.path &&
        finding.state !== 'rotten' &&
        finding.sha256 !== undefined &&
        (await keepCopy(esp, finding.sha256, entry.sizeBytes, (output, locate) =>
          options.copy(locate(entry.path), output),
        ));
      if (kept) await listCopy(esp);
      findings.push(kept ? { ...finding, copy: 'kept' } : finding);
    }
    return findings;
  });
}

async function scrubOne(
  esp: Esp,
  options: UkiScrub,
  entry: UkiEntry,
  entries: readonly UkiEntry[],
): Promise<UkiFinding> {
  const { version, path } = entry;
  const found = await esp.digest(path);
  const known = options.known[version];
  if (found !== undefined && found === known) return { version, state: 'good', sha256: found };
  // Never seen, or changed since: what was published is the measure, where it can be had.
  const published = await options.published(version);
  const wanted = published?.sha256 ?? known ?? found;
  if (found !== undefined && found === wanted) return { version, state: 'good', sha256: found };
  const rotten = { version, state: 'rotten', sha256: wanted } as const;
  if (wanted === undefined) return { ...rotten, detail: 'it cannot be read, and nothing says what it was' };
  try {
    await repair(esp, options, entry, entries, wanted, published);
    return { version, state: 'repaired', sha256: wanted };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return { ...rotten, detail: error.message };
  }
}

async function repair(
  esp: Esp,
  { disk, copy, known }: UkiScrub,
  { path, version, sizeBytes }: UkiEntry,
  entries: readonly UkiEntry[],
  sha256: string,
  published: PublishedUki | undefined,
): Promise<void> {
  if ((await esp.digest(UKI_COPY)) === sha256)
    return repairUki({
      disk,
      esp,
      path,
      sha256,
      sizeBytes,
      produce: (output, locate) => copy(locate(UKI_COPY), output),
    });
  if (published === undefined)
    throw new SlipwayError(
      'update.scrub',
      'there is no good copy of it here, and no network to fetch it from',
    );
  // A delta from another version's UKI is small; of a rotten one it would make rubbish, which the digest tells.
  const source = entries.find((other) => other.version !== version && known[other.version] !== undefined);
  return repairUki({
    disk,
    esp,
    path,
    sha256,
    sizeBytes: published.sizeBytes,
    produce: (output, locate) =>
      published.produce(output, source === undefined ? undefined : locate(source.path)),
  });
}
