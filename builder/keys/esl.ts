/** EFI signature lists and authenticated variables (UEFI 2.10, 32.4.1 and 8.2.2). */
import { encode } from '../authenticode/der.ts';
import { signDetached } from '../authenticode/signed-data.ts';
import type { Signer } from '../authenticode/signer.ts';
import { guidBytes } from '../gpt/guid.ts';

export type SecureBootVariable = 'PK' | 'KEK' | 'db' | 'dbx';

export type SignatureEntry =
  | { readonly type: 'x509'; readonly certificate: Uint8Array }
  /** Authenticode digest of an image. */
  | { readonly type: 'sha256'; readonly digest: Uint8Array };

const EFI_GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const EFI_IMAGE_SECURITY_DATABASE = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const EFI_CERT_X509 = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072';
const EFI_CERT_SHA256 = 'c1c41626-504c-4092-aca9-41f936934328';
const EFI_CERT_TYPE_PKCS7 = '4aafd29d-68df-49ee-8aa9-347d375665a7';
/** Non-volatile, in boot services and at run time, authenticated by time. */
export const SECURE_BOOT_VARIABLE_ATTRIBUTES = 0x27;
/** The same, for an addition to what the variable holds. */
export const APPENDED_VARIABLE_ATTRIBUTES = SECURE_BOOT_VARIABLE_ATTRIBUTES | 0x40;
const WIN_CERT_REVISION_2_0 = 0x0200;
const WIN_CERT_TYPE_EFI_GUID = 0x0ef1;

/** Vendor GUID under which firmware keeps the variable. */
export function variableVendor(variable: SecureBootVariable): string {
  return variable === 'PK' || variable === 'KEK' ? EFI_GLOBAL_VARIABLE : EFI_IMAGE_SECURITY_DATABASE;
}

/** `EFI_SIGNATURE_LIST`s, one for each entry: the bytes that the variable holds. `owner` is a GUID that names who enrolled it. */
export function signatureList(owner: string, entries: readonly SignatureEntry[]): Uint8Array {
  return Buffer.concat(
    entries.map((entry) => {
      const data = entry.type === 'x509' ? entry.certificate : entry.digest;
      const header = Buffer.alloc(28);
      header.set(guidBytes(entry.type === 'x509' ? EFI_CERT_X509 : EFI_CERT_SHA256));
      header.writeUInt32LE(28 + 16 + data.length, 16);
      header.writeUInt32LE(0, 20);
      header.writeUInt32LE(16 + data.length, 24);
      return Buffer.concat([header, guidBytes(owner), data]);
    }),
  );
}

/**
 * `EFI_VARIABLE_AUTHENTICATION_2` followed by the new contents: what SetVariable() takes, and what systemd-boot enrols from
 * `loader/keys/<name>/<variable>.auth`. Firmware refuses a `time` that is not later than the last one's, except of an addition.
 */
export async function authenticatedVariable(
  variable: SecureBootVariable,
  contents: Uint8Array,
  signer: Signer,
  time: Date,
  mode: 'replace' | 'append' = 'replace',
): Promise<Uint8Array> {
  const timestamp = efiTime(time);
  const attributes = Buffer.alloc(4);
  attributes.writeUInt32LE(
    mode === 'append' ? APPENDED_VARIABLE_ATTRIBUTES : SECURE_BOOT_VARIABLE_ATTRIBUTES,
  );
  const signed = Buffer.concat([
    Buffer.from(variable, 'utf16le'),
    guidBytes(variableVendor(variable)),
    attributes,
    timestamp,
    contents,
  ]);
  const signature = encode(await signDetached(signed, signer));
  const header = Buffer.alloc(24);
  header.writeUInt32LE(24 + signature.length, 0);
  header.writeUInt16LE(WIN_CERT_REVISION_2_0, 4);
  header.writeUInt16LE(WIN_CERT_TYPE_EFI_GUID, 6);
  header.set(guidBytes(EFI_CERT_TYPE_PKCS7), 8);
  return Buffer.concat([timestamp, header, signature, contents]);
}

/** `EFI_TIME` in UTC. All but the date and the time of day must be zero here. */
function efiTime(time: Date): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(time.getUTCFullYear(), 0);
  bytes.set(
    [
      time.getUTCMonth() + 1,
      time.getUTCDate(),
      time.getUTCHours(),
      time.getUTCMinutes(),
      time.getUTCSeconds(),
    ],
    2,
  );
  return bytes;
}
