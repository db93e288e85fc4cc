/** What lies in a keys directory, without opening a private key. */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fingerprint } from './certificate.ts';
import { KEY_ROLES, KEY_SETS, keyPath, readKeysFile, type KeyRole, type KeySetName } from './directory.ts';
import { readCertificate } from './load.ts';
import { checkPrivateKeyMode } from './private-key.ts';

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
  /** Where its private half is: in a file, in an encrypted file, with a program, or not here. */
  readonly privateKey: 'file' | 'encrypted file' | 'command' | 'absent';
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
            : await privateKeyKind(keyPath(directory, set, role, 'key')),
      });
    }
  }
  return listed;
}

/** `O=Slipway, CN=platform key`: Node separates the parts with line breaks. */
export function oneLine(name: string): string {
  return name.replaceAll('\n', ', ');
}

/** What a private key's file is, unopened. Throws `keys.readable-by-others`. */
export async function privateKeyKind(path: string): Promise<ListedKey['privateKey']> {
  if (!existsSync(path)) return 'absent';
  await checkPrivateKeyMode(path);
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return buffer.subarray(0, bytesRead).includes('BEGIN ENCRYPTED') ? 'encrypted file' : 'file';
  } finally {
    await file.close();
  }
}
