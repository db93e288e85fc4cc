/** What lies in a keys directory, without opening a private key. */
import { X509Certificate } from 'node:crypto';
import { fingerprint } from './certificate.ts';
import { KEY_ROLES, KEY_SETS, keyPath, readKeysFile, type KeyRole, type KeySetName } from './directory.ts';
import { readCertificate } from './load.ts';
import { privateKeyFile, type PrivateKeyPlace } from './private-key.ts';

export interface ListedKey {
  readonly set: KeySetName;
  readonly role: KeyRole;
  readonly subject: string;
  readonly issuer: string;
  readonly purpose: string;
  /** ISO 8601. */
  readonly notBefore: string;
  readonly notAfter: string;
  /** SHA-256 of the certificate, hexadecimal. */
  readonly fingerprint: string;
  readonly privateKey: PrivateKeyPlace;
}

const PURPOSE: Record<KeyRole, string> = {
  PK: 'platform key: owns a machine, may replace KEK',
  KEK: 'may change db and dbx',
  db: 'CA in db: machines boot what its leaves sign',
  leaf: 'signs UKIs and boot loaders of this release line',
};

/** Release keys first. Refuses private keys that others may read, as `loadKeys` does. */
export async function listKeys(directory: string): Promise<readonly ListedKey[]> {
  const file = await readKeysFile(directory);
  const listed: ListedKey[] = [];
  for (const set of KEY_SETS) {
    for (const role of KEY_ROLES) {
      const certificate = new X509Certificate(await readCertificate(directory, set, role));
      listed.push({
        set,
        role,
        subject: oneLine(certificate.subject),
        issuer: oneLine(certificate.issuer),
        purpose: PURPOSE[role],
        notBefore: new Date(certificate.validFrom).toISOString(),
        notAfter: new Date(certificate.validTo).toISOString(),
        fingerprint: fingerprint(certificate.raw),
        privateKey:
          role === 'leaf' && file.signers[set] !== undefined
            ? 'command'
            : await privateKeyFile(keyPath(directory, set, role, 'key')),
      });
    }
  }
  return listed;
}

/** `O=Slipway, CN=platform key`: Node separates the parts with line breaks. */
export function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}
