/** SMBIOS strings of type 11 in systemd's form of credentials: `io.systemd.credential:slipway.user-data=...`. docs/datasources/smbios.md */
import { own } from '../../../spec/own.ts';
import type { System } from '../../../system/system.ts';
import { decodeBase64 } from '../../../spec/base64.ts';
import { readOemStrings } from './dmi.ts';
import { present } from './files.ts';
import type { Documents, Seed } from './found.ts';

const TEXT = 'io.systemd.credential:';
const BINARY = 'io.systemd.credential.binary:';
const CREDENTIALS: Readonly<Record<string, keyof Documents>> = {
  'slipway.user-data': 'userData',
  'slipway.meta-data': 'rawMetaData',
  'slipway.vendor-data': 'vendorData',
  'slipway.network-config': 'networkConfig',
};

export function lookAtCredentials(system: System): Seed | undefined {
  const documents: Partial<Record<keyof Documents, Uint8Array>> = {};
  const notes: string[] = [];
  for (const bytes of readOemStrings(system)) {
    const prefix = [BINARY, TEXT].find((wanted) => startsWith(bytes, wanted));
    const equals = bytes.indexOf('='.charCodeAt(0));
    if (prefix === undefined || equals < 0) continue;
    const name = system.decode(bytes.subarray(prefix.length, equals));
    const document = own(CREDENTIALS, name);
    if (document === undefined) continue;
    const value = bytes.subarray(equals + 1);
    const content = prefix === TEXT ? value.slice() : decodeBase64(system.decode(value));
    if (content === undefined) notes.push(`the credential ${name} is not base64, and was passed over`);
    else if (documents[document] !== undefined)
      notes.push(`the credential ${name} is there twice: the first counts`);
    else documents[document] = content;
  }
  if (Object.keys(documents).length === 0 && notes.length === 0) return undefined;
  return { source: 'smbios', origin: 'SMBIOS credentials', documents: present(documents), notes };
}

function startsWith(bytes: Uint8Array, prefix: string): boolean {
  for (let at = 0; at < prefix.length; at++) if (bytes[at] !== prefix.charCodeAt(at)) return false;
  return true;
}
