/** What lies in EFI/Linux, and which of it is the running version's. */
import { ESP_OWN } from '../../../spec/esp.ts';
import type { BootDisk, Esp } from './boot-disk.ts';
import { VENDORS } from './boot-disk.ts';
import type { RunningVersion } from './facts.ts';
import { parseUkiName, type UkiName } from './uki-name.ts';

/** Where systemd-boot looks for UKIs. */
export const LINUX = 'EFI/Linux';
export const OWN = ESP_OWN;
/** A UKI that is not switched to yet. Upper case and 8.3: such a name is one entry of the directory, in one sector. */
export const NEW_UKI = `${OWN}/UKI.NEW`;

export interface UkiEntry extends UkiName {
  readonly fileName: string;
  /** From the root of the ESP. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** UKIs by their names; empty ones (a rename that was cut) aside, which no boot loader takes. */
export async function ukiEntries(esp: Esp): Promise<readonly UkiEntry[]> {
  return (await esp.list(LINUX)).flatMap(({ name, kind, sizeBytes }) => {
    const parsed = parseUkiName(name);
    if (parsed === undefined || kind !== 'file' || sizeBytes === 0) return [];
    return [{ ...parsed, fileName: name, path: `${LINUX}/${name}`, sizeBytes }];
  });
}

/**
 * The file that this machine was started from. During a trial systemd-boot said which; what counts is that it is of the version that runs.
 * Otherwise it is the one that is not counted, or whatever spelling is there.
 */
export async function runningEntry(
  disk: BootDisk,
  entries: readonly UkiEntry[],
  running: RunningVersion,
): Promise<UkiEntry | undefined> {
  const own = entries.filter((entry) => entry.image === running.image && entry.version === running.version);
  if (!running.trial) return own.find(({ tries }) => tries === undefined) ?? own[0];
  const told = await bootCountName(disk);
  const counted = own.filter(({ tries }) => tries !== undefined);
  return (
    counted.find(({ fileName }) => fileName.toLowerCase() === told) ??
    counted.sort((a, b) => a.tries!.left - b.tries!.left)[0] ??
    own[0]
  );
}

/** LoaderBootCountPath: `\EFI\Linux\x+2-1.efi`, UTF-16. */
async function bootCountName(disk: BootDisk): Promise<string | undefined> {
  const bytes = await disk.readVariable({ name: 'LoaderBootCountPath', vendor: VENDORS.loader });
  return bytes === undefined ? undefined : utf16(bytes).replace(/^.*\\/, '').toLowerCase();
}

export function utf16(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index + 1 < bytes.length; index += 2) {
    const code = (bytes[index] ?? 0) | ((bytes[index + 1] ?? 0) << 8);
    if (code === 0) break;
    text += String.fromCharCode(code);
  }
  return text;
}
