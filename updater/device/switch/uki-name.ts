/**
 * Names in EFI/Linux: `<image>_<version>[+<tries left>[-<tries done>]].efi` (UAPI Boot Loader Specification, boot counting). Nothing else there
 * is ours. vfat knows no case, so neither does the comparison.
 */
import { isImageVersion } from '../../../spec/version.ts';

export interface UkiName {
  readonly image: string;
  readonly version: string;
  /** `undefined`: not counted, hence good. */
  readonly tries: Tries | undefined;
}

export interface Tries {
  readonly left: number;
  /** How often systemd-boot has started it. */
  readonly done: number;
}

/** How often systemd-boot tries a new version. */
export const TRIES = 3;

const PATTERN = /^([a-z0-9][a-z0-9-]*)_([0-9][0-9a-z.~]*)(?:\+(\d{1,4})(?:-(\d{1,4}))?)?\.efi$/;

/** `undefined`: not a name of ours. */
export function parseUkiName(fileName: string): UkiName | undefined {
  const match = PATTERN.exec(fileName.toLowerCase());
  if (match === null || !isImageVersion(match[2]!)) return undefined;
  const tries =
    match[3] === undefined ? undefined : { left: Number(match[3]), done: Number(match[4] ?? '0') };
  return { image: match[1]!, version: match[2]!, tries };
}

export function ukiName({ image, version, tries }: UkiName): string {
  const done = tries === undefined || tries.done === 0 ? '' : `-${tries.done}`;
  return `${image}_${version}${tries === undefined ? '' : `+${tries.left}${done}`}.efi`;
}

/**
 * Counting down, systemd-boot keeps the sum of both numbers, and firmware refuses a name that is taken: it would start the UKI uncounted, again and again. A
 * rename of ours that is cut may leave both names. So a counted name that replaces another one has a larger sum: neither ever counts down into the other.
 */
export function withTryGivenBack({ left, done }: Tries): Tries {
  return done === 0 ? { left, done } : { left: left + 1, done };
}

/** No tries left (see above for the sum). */
export function withoutTries(tries: Tries | undefined): Tries {
  if (tries === undefined) return { left: 0, done: 0 };
  return tries.left === 0 ? tries : { left: 0, done: tries.left + tries.done + 1 };
}
