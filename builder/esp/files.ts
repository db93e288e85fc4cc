/** What lies on the EFI system partition of a new machine. */
import { COPY_ENTRY, OWN_README } from '../../spec/esp.ts';
import type { Architecture } from '../../spec/image.ts';
import type { KeySet } from '../keys/load.ts';

export interface EspFile {
  /** From the root of the file system, without a leading slash. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * What systemd-boot does with `loader/keys/auto` on a machine in setup mode. `if-safe` enrols in virtual machines alone; `force` enrols
 * wherever it boots, and then only images of these keys start there.
 */
export type Enrolment = 'off' | 'manual' | 'if-safe' | 'force';

export interface EspInputs {
  readonly architecture: Architecture;
  /** systemd-boot 262 or newer, signed. */
  readonly bootLoader: Uint8Array;
  /** File name in EFI/Linux, see `ukiFileName`, and the signed UKI. */
  readonly uki: { readonly fileName: string; readonly bytes: Uint8Array };
  /** The keys lie on the ESP only where they are to be enrolled from it. */
  readonly enrolment?: { readonly mode: Exclude<Enrolment, 'off'>; readonly keys: KeySet };
}

const SUFFIX: Record<Architecture, string> = { amd64: 'x64', arm64: 'aa64' };

/** `<name>_<version>.efi`: an entry without a counter, hence one that is good. An update adds `+3` to it. */
export function ukiFileName(name: string, version: string): string {
  return `${name}_${version}.efi`;
}

/** In the order in which they are written. */
export function espFiles(inputs: EspInputs): readonly EspFile[] {
  const { architecture, bootLoader, uki, enrolment } = inputs;
  const keys: readonly EspFile[] =
    enrolment === undefined
      ? []
      : [
          { path: 'loader/keys/auto/PK.auth', bytes: enrolment.keys.pk.auth },
          { path: 'loader/keys/auto/KEK.auth', bytes: enrolment.keys.kek.auth },
          { path: 'loader/keys/auto/db.auth', bytes: enrolment.keys.db.auth },
        ];
  return [
    // Two copies: an update changes one, the other only after a boot through the first was committed (decisions 7).
    { path: `EFI/BOOT/BOOT${SUFFIX[architecture].toUpperCase()}.EFI`, bytes: bootLoader },
    { path: `EFI/systemd/systemd-boot${SUFFIX[architecture]}.efi`, bytes: bootLoader },
    { path: `EFI/Linux/${uki.fileName}`, bytes: uki.bytes },
    { path: 'loader/loader.conf', bytes: Buffer.from(loaderConf(enrolment?.mode ?? 'off'), 'utf8') },
    ...[COPY_ENTRY, OWN_README].map(({ path, text }) => ({ path, bytes: Buffer.from(text, 'utf8') })),
    ...keys,
  ];
}

/** loader.conf(5). */
export function loaderConf(enrolment: Enrolment): string {
  const settings: readonly (readonly [string, string])[] = [
    ['timeout', '0'],
    ['editor', 'no'],
    ['auto-entries', 'no'],
    ['auto-firmware', 'no'],
    // A UKI that cannot be loaded costs a try and a reboot; without this the machine would wait for somebody to press a key (decisions 1).
    ['reboot-on-error', 'yes'],
    ['secure-boot-enroll', enrolment],
    ...(enrolment === 'off' ? [] : ([['secure-boot-enroll-timeout-sec', '0']] as const)),
  ];
  return settings.map(([key, value]) => `${key} ${value}\n`).join('');
}
