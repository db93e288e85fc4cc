/** At each start of a committed version: a copy of its UKI is kept, what is rotten is replaced by it, and the boot loader is told of both (switch/guard.ts). */
import { UKI_COPY } from '../../../spec/esp.ts';
import type { BootDisk, Esp } from '../switch/boot-disk.ts';
import { runningEntry, ukiEntries, type UkiEntry } from '../switch/entries.ts';
import type { RunningVersion } from '../switch/facts.ts';
import { arm, disarm, listCopy, startedFromCopy } from '../switch/guard.ts';
import { loadRecord } from '../switch/record-store.ts';
import { keepCopy } from '../switch/repair-uki.ts';
import type { ScrubMemory } from './memory.ts';
import { sizeOf } from './missing.ts';
import { scrubUkis, type UkiScrub } from './ukis.ts';

export interface Guarding {
  readonly disk: BootDisk;
  readonly running: RunningVersion;
  readonly memory: ScrubMemory;
  readonly copy: UkiScrub['copy'];
}

/** Returns what is to be remembered. */
export async function guardBoot({ disk, running, memory, copy }: Guarding): Promise<ScrubMemory> {
  if (await counts(disk, running)) return memory;
  const { version } = running;
  let known = memory.ukis;
  let { repairs, alarms } = memory;
  if (await startedFromCopy(disk)) {
    const options = { disk, running, known, copy, published: () => Promise.resolve(undefined) };
    const own = (await scrubUkis(options)).find((finding) => finding.version === version);
    if (own?.state === 'repaired')
      repairs = [
        ...repairs,
        `the ${own.missing === true ? 'missing' : 'rotten'} UKI of ${version}; this start was from its copy`,
      ];
    else if (own === undefined || own.state === 'rotten')
      alarms = [...alarms, `the UKI of ${version} is rotten or gone, and this start was from its copy`];
  }
  const copied = await disk.withEsp(async (esp) => {
    // Somebody may have rolled back, or switched to the next version, while this waited for its turn; and nobody does while it has it.
    if (await counts(disk, running)) return false;
    const entry = await wholeEntry(esp);
    await (entry === undefined ? disarm(disk) : arm(disk, entry));
    return entry !== undefined;
  });
  return { ...memory, alarms, repairs, ukis: known, copyOf: copied ? version : null };

  /** What runs, where it lies there whole and the copy is of it. */
  async function wholeEntry(esp: Esp): Promise<UkiEntry | undefined> {
    const entry = await runningEntry(disk, await ukiEntries(esp), running);
    if (entry === undefined || entry.tries !== undefined) return undefined;
    if (memory.copyOf === version && (await sizeOf(esp, UKI_COPY)) === entry.sizeBytes) return entry;
    const digest = await esp.digest(entry.path);
    // Rotten since: the scrub's business.
    if (digest === undefined || (known[version] ?? digest) !== digest) return undefined;
    const kept = await keepCopy(esp, digest, entry.sizeBytes, (output, locate) =>
      copy(locate(entry.path), output),
    );
    if (!kept) return undefined;
    // What was started just now was good.
    known = { ...known, [version]: digest };
    await listCopy(esp);
    return entry;
  }
}

/** Counting decides then, and nothing else may. */
async function counts(disk: BootDisk, running: RunningVersion): Promise<boolean> {
  return running.trial || (await loadRecord(disk)).trial !== null;
}
