/**
 * Against a committed UKI that rots: the firmware refuses it, and systemd-boot, which counts no starts of a version that was good once, would restart the
 * machine into it for ever. So what is to be started is named for one start (LoaderEntryOneShot, which systemd-boot deletes before it follows it), and for
 * all others a copy of the same UKI (LoaderEntryDefault): a start that does not come as far as slipd is followed by one from the copy. Both variables are
 * gone while a version is switched to or on trial: there counting decides. A power flap costs nothing: the copy is of the same version.
 *
 * The copy is an entry of its own (UAPI.1 boot loader specification, type 1), which sorts behind every UKI, since it has no sort-key.
 */
import { COPY_ENTRY } from '../../../spec/esp.ts';
import { encodeUtf8 } from '../../../system/utf8.ts';
import { VENDORS, type BootDisk, type Esp } from './boot-disk.ts';
import { utf16, type UkiEntry } from './entries.ts';
import { ukiName } from './uki-name.ts';

const { path: PATH, name: ENTRY, text: TEXT } = COPY_ENTRY;
const DIRECTORY = PATH.slice(0, PATH.lastIndexOf('/'));

const DEFAULT = { name: 'LoaderEntryDefault', vendor: VENDORS.loader } as const;
const ONE_SHOT = { name: 'LoaderEntryOneShot', vendor: VENDORS.loader } as const;

/** The boot loader's own word: this machine was started from the copy. */
export async function startedFromCopy(disk: BootDisk): Promise<boolean> {
  const told = await disk.readVariable({ name: 'LoaderEntrySelected', vendor: VENDORS.loader });
  return told !== undefined && utf16(told).toLowerCase() === ENTRY;
}

/** Makes the copy known to the boot loader, where an image of before did not. A cut one is no entry. */
export async function listCopy(esp: Esp): Promise<void> {
  const wanted = encodeUtf8(TEXT);
  const found = await esp.read(PATH);
  if (found?.length === wanted.length && wanted.every((byte, index) => found[index] === byte)) return;
  await esp.makeDirectory(DIRECTORY);
  await esp.write(PATH, wanted);
  await esp.syncFile(PATH);
  await esp.syncDirectory(DIRECTORY);
}

/** `entry`: what runs, and lies there whole; the copy of it too. */
export async function arm(disk: BootDisk, entry: UkiEntry): Promise<void> {
  await disk.writeVariable(ONE_SHOT, text(ukiName({ ...entry, tries: undefined })));
  await disk.writeVariable(DEFAULT, text(ENTRY));
}

/** Before anything else than what runs is to be started. */
export async function disarm(disk: BootDisk): Promise<void> {
  await disk.removeVariable(DEFAULT);
  await disk.removeVariable(ONE_SHOT);
}

/** UTF-16 with its NUL, as systemd-boot reads it. */
function text(value: string): Uint8Array {
  const bytes = new Uint8Array(2 * (value.length + 1));
  for (let index = 0; index < value.length; index += 1) bytes[2 * index] = value.charCodeAt(index);
  return bytes;
}
