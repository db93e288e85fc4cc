/**
 * Updates of Secure Boot's variables db and dbx, by files that the owner's KEK signed: the firmware checks them. After a commit only, and never such that the UKI
 * that runs, or the one to return to, could not be started any more (decisions.md 5).
 */
import { VENDORS, type BootDisk } from './boot-disk.ts';
import type { Signer, UpdateRecord } from './record-content.ts';
import {
  distrust,
  isRevoked,
  parseSignatureLists,
  type Signature,
  type TrustedSigners,
} from './signature-list.ts';

/** Non-volatile, in boot services and at run time, authenticated by time (UEFI specification, 8.2). */
const AUTHENTICATED = 0x27;
const TIME_BYTES = 16;

export type KeyUpdate =
  | { readonly state: 'done' }
  /** It would lock out a UKI that is needed: another version first. */
  | { readonly state: 'waiting'; readonly why: string }
  | { readonly state: 'refused'; readonly why: string };

/** `auth`: EFI_VARIABLE_AUTHENTICATION_2, followed by the whole new content of the variable. */
export async function updateKeys(
  disk: BootDisk,
  variable: 'db' | 'dbx',
  auth: Uint8Array,
  trusted: TrustedSigners,
  record: Pick<UpdateRecord, 'committed' | 'older'>,
): Promise<KeyUpdate> {
  const content = contentOf(auth);
  if (content === undefined)
    return { state: 'refused', why: `the update of ${variable} is no signed variable` };
  const next = parseSignatureLists(content);
  if (isSame(next, trusted[variable])) return { state: 'done' };
  const after: TrustedSigners = { ...trusted, [variable]: next };
  for (const [what, signer] of needed(record)) {
    const why = signer === null ? undefined : reason(signer, after, variable);
    // Of the version that the machine was installed with, nobody has said who signed it: it may be that very leaf.
    if (signer === null && (variable === 'db' || next.length > 0))
      return { state: 'waiting', why: `it is not known who signed ${what}` };
    if (why !== undefined) return { state: 'waiting', why: `${what} would not start any more: ${why}` };
  }
  await disk.writeVariable({ name: variable, vendor: VENDORS.signatures }, auth, {
    attributes: AUTHENTICATED,
  });
  return { state: 'done' };
}

function needed(
  record: Pick<UpdateRecord, 'committed' | 'older'>,
): readonly (readonly [string, Signer | null])[] {
  return [record.committed, record.older].flatMap((version) =>
    version === null ? [] : [[version.version, version.signer] as const],
  );
}

function reason(signer: Signer, after: TrustedSigners, variable: 'db' | 'dbx'): string | undefined {
  if (variable === 'db') return distrust(signer, after);
  return isRevoked(signer, after.dbx) ? 'its signer would be revoked' : undefined;
}

/** Behind EFI_TIME and WIN_CERTIFICATE, whose first field is its length. */
function contentOf(auth: Uint8Array): Uint8Array | undefined {
  if (auth.length < TIME_BYTES + 24) return undefined;
  const certificateBytes = new DataView(auth.buffer, auth.byteOffset).getUint32(TIME_BYTES, true);
  if (certificateBytes < 24 || TIME_BYTES + certificateBytes > auth.length) return undefined;
  return auth.subarray(TIME_BYTES + certificateBytes);
}

function isSame(a: readonly Signature[], b: readonly Signature[]): boolean {
  const key = (list: readonly Signature[]): string =>
    list
      .map(({ type, digest }) => `${type} ${digest}`)
      .sort()
      .join();
  return key(a) === key(b);
}
