/** Retires leaf certificates: the update of `dbx` that machines apply after the release was confirmed (decisions.md 5). */
import { X509Certificate, createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { keyPath, readKeysFile } from '../../../builder/keys/directory.ts';
import { authenticatedVariable, signatureList } from '../../../builder/keys/esl.ts';
import { readCertificate } from '../../../builder/keys/load.ts';
import type { PassphraseSource } from '../../../builder/keys/passphrase.ts';
import { readPrivateKey, signDigest } from '../../../builder/keys/private-key.ts';
import { SlipwayError } from '../../../spec/error.ts';

export interface Revocation {
  /** SHA-256 of the certificates. */
  readonly leaves: readonly string[];
  /** The signed update. `old`: what `dbx` holds by the releases before; it stays. */
  update(old: Uint8Array, set: 'release' | 'debug', now: Date): Promise<Uint8Array>;
}

/** `certificates`: files, PEM or DER. The private key of KEK is needed, and read when the update is signed. */
export async function openRevocation(
  keysDirectory: string,
  certificates: readonly string[],
  passphrase: PassphraseSource,
): Promise<Revocation> {
  const leaves: Uint8Array[] = [];
  for (const path of certificates) leaves.push(await certificateOf(path));
  const { owner } = await readKeysFile(keysDirectory);
  return {
    leaves: leaves.map(sha256),
    update: async (old, set, now) => {
      const path = keyPath(keysDirectory, set, 'KEK', 'key');
      const key = await readPrivateKey(path, passphrase).catch((cause: unknown) => {
        throw new SlipwayError('keys.private-key-missing', `cannot use ${path}, which signs changes of dbx`, {
          cause,
          hint: 'bring it for this command',
        });
      });
      const added = signatureList(
        owner,
        leaves.map((certificate) => ({ type: 'x509', certificate })),
      );
      const signer = {
        certificate: await readCertificate(keysDirectory, set, 'KEK'),
        chain: [],
        sign: (digest: Uint8Array) => Promise.resolve(signDigest(key, digest)),
      };
      return authenticatedVariable('dbx', Buffer.concat([old, added]), signer, now);
    },
  };
}

/** What an update puts into the variable: behind EFI_TIME (16 bytes) and the certificate, whose length comes first. */
export function contentOfUpdate(auth: Uint8Array): Uint8Array {
  const certificateBytes = new DataView(auth.buffer, auth.byteOffset, auth.byteLength).getUint32(16, true);
  return auth.subarray(16 + certificateBytes);
}

async function certificateOf(path: string): Promise<Uint8Array> {
  try {
    return new X509Certificate(await readFile(path)).raw;
  } catch (cause) {
    throw new SlipwayError('usage.revokes', `${path} is not the certificate of a leaf`, {
      cause,
      hint: 'slipway keys leaf told where it put the old one',
    });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
