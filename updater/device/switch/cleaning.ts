/**
 * Takes away what lies on the ESP and is not wanted: UKIs of versions that are gone, other spellings of one that is kept (failure 15), names in
 * EFI/Linux that are not ours, what a file system check left (failure 11), what a cut update left (failure 12).
 *
 * A rename that was cut may have left two names of one content, and to remove one of them, or to write to it, would free the other's clusters.
 * So nothing is removed that has the content of a file that stays: it is moved out of the way, and goes when that file goes.
 */
import type { Esp, EspEntry } from './boot-disk.ts';
import { OWN_README, UKI_COPY } from '../../../spec/esp.ts';
import { LINUX, OWN } from './entries.ts';

/** The boot loader's two copies are never removed here; one may have its content in common with what a cut update of it left. */
const LOADERS = ['EFI/BOOT', 'EFI/systemd'];
/** They stay, and are never renamed: their clusters are their own. The copy is of the running version's UKI (repair-uki.ts). */
const OURS = [UKI_COPY, OWN_README.path].map((path) => path.toUpperCase());
const RECOVERED = /^fsck\d{4}\.rec$/i;

/** Changes names only; the caller syncs the directories. `kept`: paths. */
export async function removeAllBut(esp: Esp, kept: readonly string[]): Promise<void> {
  const keep = new Map<string, KeptFile>();
  const found: { directory: string; entry: EspEntry }[] = [];
  for (const directory of ['', LINUX, OWN]) {
    for (const entry of await esp.list(directory)) {
      const path = join(directory, entry.name);
      if (entry.kind !== 'file' || OURS.includes(path.toUpperCase())) continue;
      if (kept.some((other) => other.toLowerCase() === path.toLowerCase()))
        keep.set(path, { sizeBytes: entry.sizeBytes });
      else if (directory !== '' || RECOVERED.test(entry.name)) found.push({ directory, entry });
    }
  }
  for (const directory of LOADERS)
    for (const { name, kind, sizeBytes } of await esp.list(directory))
      if (kind === 'file') keep.set(join(directory, name), { sizeBytes });
  for (const { directory, entry } of found) {
    const path = join(directory, entry.name);
    if (!(await hasContentOf(esp, path, entry.sizeBytes, keep))) await discard(esp, path, entry.sizeBytes);
    else if (directory === LINUX) await park(esp, path);
  }
}

/** Before a file is made under this name: what has it goes. `others`: paths of files whose content it may share. */
export async function vacate(esp: Esp, path: string, others: readonly string[]): Promise<void> {
  const [size, ...sizes] = await Promise.all([path, ...others].map((each) => sizeOf(esp, each)));
  if (size === undefined || size === 0) return;
  const keep = new Map(
    others.flatMap((other, index) => {
      const sizeBytes = sizes[index];
      return sizeBytes === undefined ? [] : [[other, { sizeBytes }] as const];
    }),
  );
  if (await hasContentOf(esp, path, size, keep)) await park(esp, path);
  else await discard(esp, path, size);
}

/**
 * Emptied first, which is one record, and that made durable. A name of several records may lie in two sectors: removed by halves, it is a short one without a
 * counter, and the UKI behind it would be the newest good version. And a name that comes back, its removal lost, would name clusters that another file
 * has by then: whoever removes it again would free that one's.
 */
async function discard(esp: Esp, path: string, sizeBytes: number): Promise<void> {
  if (sizeBytes > 0) {
    await esp.write(path, new Uint8Array(0));
    await esp.syncFile(path);
  }
  await esp.remove(path);
}

async function sizeOf(esp: Esp, path: string): Promise<number | undefined> {
  const [, directory = '', name = ''] = /^(.*)\/([^/]*)$/.exec(path.toLowerCase()) ?? [];
  return (await esp.list(directory)).find((entry) => entry.name.toLowerCase() === name)?.sizeBytes;
}

interface KeptFile {
  readonly sizeBytes: number;
  digest?: string | undefined;
}

async function hasContentOf(
  esp: Esp,
  path: string,
  sizeBytes: number,
  keep: ReadonlyMap<string, KeptFile>,
): Promise<boolean> {
  if (sizeBytes === 0) return false;
  for (const [keptPath, file] of keep) {
    if (file.sizeBytes !== sizeBytes) continue;
    file.digest ??= await esp.digest(keptPath);
    if (file.digest !== undefined && file.digest === (await esp.digest(path))) return true;
  }
  return false;
}

async function park(esp: Esp, path: string): Promise<void> {
  await esp.makeDirectory(OWN);
  const taken = new Set((await esp.list(OWN)).map(({ name }) => name.toUpperCase()));
  let number = 1;
  while (taken.has(parkedName(number))) number += 1;
  await esp.rename(path, `${OWN}/${parkedName(number)}`);
}

function parkedName(number: number): string {
  return `PARKED.${String(number).padStart(3, '0')}`;
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}
