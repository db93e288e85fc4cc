/**
 * Replaces systemd-boot (decisions.md 7). There are two copies. First the one goes that this machine was not started through; then it is started through the
 * new one, once, by BootNext: a loader that does not work leads back to the old one by itself. Only after a committed version came up through the new
 * copy does the other follow.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { VENDORS, type BootDisk, type Esp } from './boot-disk.ts';
import { vacate } from './cleaning.ts';
import { OWN, utf16 } from './entries.ts';
import { runSteps, type Step } from './steps.ts';

export const NEW_LOADER = `${OWN}/LOADER.NEW`;

/** By architecture: the one that an entry of the firmware starts, and the one that a disk without any is started by. */
export const LOADER_COPIES: Readonly<Record<string, readonly [string, string]>> = {
  amd64: ['EFI/systemd/systemd-bootx64.efi', 'EFI/BOOT/BOOTX64.EFI'],
  arm64: ['EFI/systemd/systemd-bootaa64.efi', 'EFI/BOOT/BOOTAA64.EFI'],
};

export interface LoaderUpdate {
  readonly architecture: string;
  readonly sha256: string;
  /** The new loader's bytes; `undefined` when they are not here any more. */
  readonly bytes: () => Uint8Array | undefined;
  /** Sets BootNext; false where this machine does not let us. */
  readonly bootOnceThrough: (path: string) => Promise<boolean>;
  /** Asked before the new one is to be started once (again): false when it was tried often enough. */
  readonly mayTry?: (path: string) => Promise<boolean>;
}

/**
 * `done`: both copies are the new one. `waiting`: for a start through the new one. `impossible`: it stays as it is. `failed`: it was tried, and the machine
 * always came up through the old one.
 */
export type LoaderState = 'done' | 'waiting' | 'impossible' | 'failed';

export interface LoaderWrite {
  readonly esp: Esp;
  readonly path: string;
  readonly copies: readonly string[];
  readonly bytes: Uint8Array;
  readonly sha256: string;
}

export const LOADER_STEPS: readonly Step<LoaderWrite>[] = [
  {
    label: 'loader.write',
    run: async ({ esp, path, bytes, copies }) => {
      // Of a rename that was cut: its content is given up already, and could become another file's. It has to go before something is written.
      if ((await esp.digest(path)) === undefined) {
        await esp.write(path, new Uint8Array(0));
        await esp.syncFile(path);
      }
      // Of an update that was cut behind its rename, this may be a second name of one of them.
      await vacate(esp, NEW_LOADER, copies);
      await esp.makeDirectory(OWN);
      await esp.write(NEW_LOADER, bytes);
    },
  },
  { label: 'loader.sync-file', run: ({ esp }) => esp.syncFile(NEW_LOADER) },
  { label: 'loader.sync-own', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'loader.drop-caches', run: ({ esp }) => esp.dropCaches() },
  { label: 'loader.verify', run: ({ esp, sha256 }) => demand(esp, NEW_LOADER, sha256) },
  // The name is there already: one sector says where its content lies.
  { label: 'loader.rename', run: ({ esp, path }) => esp.rename(NEW_LOADER, path) },
  { label: 'loader.sync-place', run: ({ esp, path }) => esp.syncFile(path) },
  { label: 'loader.sync-directory', run: ({ esp, path }) => esp.syncDirectory(path.replace(/\/[^/]*$/, '')) },
  { label: 'loader.sync-old', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'loader.drop-caches-again', run: ({ esp }) => esp.dropCaches() },
  { label: 'loader.read-back', run: ({ esp, path, sha256 }) => demand(esp, path, sha256) },
];

/** Whether both copies are that one already. */
export async function isCurrentLoader(
  disk: BootDisk,
  { architecture, sha256 }: Pick<LoaderUpdate, 'architecture' | 'sha256'>,
): Promise<boolean> {
  return disk.withEsp(async (esp) => {
    for (const path of LOADER_COPIES[architecture] ?? [])
      if ((await esp.digest(path)) !== sha256) return false;
    return LOADER_COPIES[architecture] !== undefined;
  });
}

/** One stage further, when the running version is committed. */
export async function advanceLoader(
  disk: BootDisk,
  update: LoaderUpdate,
  steps: readonly Step<LoaderWrite>[] = LOADER_STEPS,
): Promise<LoaderState> {
  const pair = await findCopies(disk, update.architecture);
  if (pair === undefined) return 'impossible';
  const { copies, through, other } = pair;
  const mayTry = update.mayTry ?? (() => Promise.resolve(true));
  return disk.withEsp(async (esp) => {
    const isNew = async (path: string): Promise<boolean> => (await esp.digest(path)) === update.sha256;
    const [throughNew, otherNew] = [await isNew(through), await isNew(other)];
    if (throughNew && otherNew) return 'done';
    const bytes = update.bytes();
    if (otherNew && !throughNew) {
      if (!(await mayTry(other))) return 'failed';
      return (await update.bootOnceThrough(other)) ? 'waiting' : 'impossible';
    }
    if (bytes === undefined) return 'impossible';
    if (throughNew) {
      // Should it be cut, the next start goes through the copy that is known to work.
      await update.bootOnceThrough(through);
      await runSteps(disk, steps, { esp, path: other, copies, bytes, sha256: update.sha256 });
      return 'done';
    }
    if (!(await mayTry(other))) return 'failed';
    // Without BootNext the new one could not be tried, and would lie there untried.
    if (!(await update.bootOnceThrough(through))) return 'impossible';
    await runSteps(disk, steps, { esp, path: other, copies, bytes, sha256: update.sha256 });
    await update.bootOnceThrough(other);
    return 'waiting';
  });
}

/**
 * The copy that this machine was not started through becomes what the other is, which works: it has rotted, or was a new one that does not start. True when
 * something was written.
 */
export async function mendLoader(
  disk: BootDisk,
  {
    architecture,
    bootOnceThrough,
    keep,
  }: Pick<LoaderUpdate, 'architecture' | 'bootOnceThrough'> & {
    /** Digest of a new one that is to be tried: it differs, and must. */
    readonly keep?: string;
  },
  steps: readonly Step<LoaderWrite>[] = LOADER_STEPS,
): Promise<boolean> {
  const pair = await findCopies(disk, architecture);
  if (pair === undefined) return false;
  const { copies, through, other } = pair;
  return disk.withEsp(async (esp) => {
    const good = await esp.digest(through);
    const found = await esp.digest(other);
    if (good === undefined || found === good || (found !== undefined && found === keep)) return false;
    const bytes = await esp.read(through);
    if (bytes === undefined || !(await bootOnceThrough(through))) return false;
    await runSteps(disk, steps, { esp, path: other, copies, bytes, sha256: good });
    return true;
  });
}

/** `efi/boot/bootx64.efi`: what the firmware started, as systemd-boot tells. */
export async function startedThrough(disk: BootDisk): Promise<string | undefined> {
  const bytes = await disk.readVariable({ name: 'LoaderImageIdentifier', vendor: VENDORS.loader });
  return bytes === undefined
    ? undefined
    : utf16(bytes).replaceAll('\\', '/').replace(/^\/+/, '').toLowerCase();
}

/** `undefined` where it was started through neither. */
async function findCopies(
  disk: BootDisk,
  architecture: string,
): Promise<
  { readonly copies: readonly string[]; readonly through: string; readonly other: string } | undefined
> {
  const copies = LOADER_COPIES[architecture] ?? [];
  const started = await startedThrough(disk);
  const through = copies.find((path) => path.toLowerCase() === started);
  const other = copies.find((path) => path !== through);
  return through === undefined || other === undefined ? undefined : { copies, through, other };
}

async function demand(esp: Esp, path: string, sha256: string): Promise<void> {
  if ((await esp.digest(path)) === sha256) return;
  throw new SlipwayError('switch.loader', `the boot loader at ${path} is not what was published`);
}
