/**
 * Additions to Secure Boot's variables KEK, db and dbx, by files that the owner signed offline: the firmware checks them. After a commit only, and never
 * such that something on the boot partition that may be started could not be any more (decisions.md 5). Additions alone: what is in the
 * variables already, of the machine's vendor for instance, stays, and the same addition once more changes nothing.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { VENDORS, type BootDisk, type EfiVariable } from './boot-disk.ts';
import type { BootFile } from './boot-files.ts';
import type { KeyVariable } from './record-content.ts';
import { isAllCertificates, isImageRevoked, parseSignatureLists, type Signature } from './signature-list.ts';

/** Non-volatile, in boot services and at run time, authenticated by time, appended (UEFI specification, 8.2). */
const APPENDED = 0x67;
const TIME_BYTES = 16;
/** More than firmware takes. */
const MAX_AUTH_BYTES = 64 * 1024;

export type KeyUpdate =
  | { readonly state: 'done' }
  /** Something else must come before. */
  | { readonly state: 'waiting'; readonly why: string }
  | { readonly state: 'refused'; readonly why: string };

export interface KeyUpdateFacts {
  /** Asked for only where something would be retired. */
  readonly bootFiles: () => Promise<readonly BootFile[]>;
  /** Data on this machine opens only as long as these variables are what they are. */
  readonly isSealed: boolean;
}

/** `auth`: EFI_VARIABLE_AUTHENTICATION_2, followed by what is added to the variable. */
export async function updateKeys(
  disk: BootDisk,
  variable: KeyVariable,
  auth: Uint8Array,
  { bootFiles, isSealed }: KeyUpdateFacts,
): Promise<KeyUpdate> {
  const content = contentOf(auth);
  if (content === undefined || !isAllCertificates(content))
    return refused(`the update of ${variable} is no signed list of certificates`);
  if (auth.length > MAX_AUTH_BYTES) return refused(`the update of ${variable} is larger than firmware takes`);
  const added = parseSignatureLists(content);
  const place: EfiVariable = {
    name: variable,
    vendor: variable === 'KEK' ? VENDORS.firmware : VENDORS.signatures,
  };
  if (await holds(disk, place, added)) return { state: 'done' };
  if (isSealed)
    return waiting(
      `the TPM would not open the state partition any more: with its recovery key at hand, slip update finish --recovery-key-at-hand`,
    );
  if (variable === 'dbx')
    for (const { path, certificates } of await bootFiles()) {
      if (certificates === undefined) return waiting(`it is not known who signed ${path}`);
      if (isImageRevoked(certificates, added))
        return waiting(`${path} is signed by what would be retired, and would not start any more`);
    }
  try {
    await disk.writeVariable(place, auth, { attributes: APPENDED });
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'switch.variable')
      return refused(`the firmware refuses the update of ${variable}`);
    throw error;
  }
  return (await holds(disk, place, added))
    ? { state: 'done' }
    : refused(`the firmware does not keep the update of ${variable}`);
}

async function holds(disk: BootDisk, place: EfiVariable, wanted: readonly Signature[]): Promise<boolean> {
  const bytes = await disk.readVariable(place);
  const known = bytes === undefined ? [] : parseSignatureLists(bytes);
  return wanted.every(({ type, digest }) =>
    known.some((entry) => entry.type === type && entry.digest === digest),
  );
}

/** Behind EFI_TIME and WIN_CERTIFICATE, whose first field is its length. */
function contentOf(auth: Uint8Array): Uint8Array | undefined {
  if (auth.length < TIME_BYTES + 24) return undefined;
  const certificateBytes = new DataView(auth.buffer, auth.byteOffset).getUint32(TIME_BYTES, true);
  if (certificateBytes < 24 || TIME_BYTES + certificateBytes > auth.length) return undefined;
  return auth.subarray(TIME_BYTES + certificateBytes);
}

function waiting(why: string): KeyUpdate {
  return { state: 'waiting', why };
}

function refused(why: string): KeyUpdate {
  return { state: 'refused', why };
}
