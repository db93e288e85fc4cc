/**
 * Additions to Secure Boot's variables that machines make after the release was confirmed (decisions.md 5): leaves are retired (`dbx`), CAs are trusted (`db`), keys may
 * change both (`KEK`). Signed offline, as additions: what a machine has in them beside ours stays.
 */
import { X509Certificate, createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { keyPath, readKeysFile, type KeyRole, type KeySetName } from '../../../builder/keys/directory.ts';
import { authenticatedVariable, signatureList } from '../../../builder/keys/esl.ts';
import { readCertificate } from '../../../builder/keys/load.ts';
import type { PassphraseSource } from '../../../builder/keys/passphrase.ts';
import { readPrivateKey, signDigest } from '../../../builder/keys/private-key.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';

export type SecureBootVariable = NonNullable<ReleaseManifest['secureBoot']>[number]['variable'];

/** Who may add to which variable (UEFI specification, 32.3). */
const SIGNERS: Readonly<Record<SecureBootVariable, KeyRole>> = { KEK: 'PK', db: 'KEK', dbx: 'KEK' };

export interface SecureBootChanges {
  /** SHA-256 of the certificates that are retired. */
  readonly retired: readonly string[];
  /** In the order in which machines make them. */
  readonly additions: readonly SecureBootAddition[];
}

export interface SecureBootAddition {
  readonly variable: SecureBootVariable;
  /** The signed addition. `old`: what the releases before add; machines may have skipped them. */
  sign(old: Uint8Array, set: KeySetName, now: Date): Promise<Uint8Array>;
}

/** Files with certificates, PEM or DER, by the variable that they are added to. */
export type CertificateFiles = Readonly<Partial<Record<SecureBootVariable, readonly string[]>>>;

/** The private keys of KEK (for db and dbx) and PK (for KEK) are read when something is signed with them. Throws `usage.certificate`. */
export async function openSecureBootChanges(
  keysDirectory: string,
  files: CertificateFiles,
  passphrase: PassphraseSource,
): Promise<SecureBootChanges> {
  const { owner } = await readKeysFile(keysDirectory);
  const additions: SecureBootAddition[] = [];
  let retired: readonly string[] = [];
  for (const variable of ['KEK', 'db', 'dbx'] as const) {
    const certificates: Uint8Array[] = [];
    for (const path of files[variable] ?? []) certificates.push(await certificateOf(path));
    if (certificates.length === 0) continue;
    if (variable === 'dbx') retired = certificates.map(sha256);
    const lists = certificates.map((certificate) => signatureList(owner, [{ type: 'x509', certificate }]));
    additions.push({
      variable,
      sign: async (old, set, now) => {
        const added = lists.filter((list) => !Buffer.from(old).includes(Buffer.from(list)));
        const signer = await signerOf(keysDirectory, set, SIGNERS[variable], variable, passphrase);
        return authenticatedVariable(variable, Buffer.concat([old, ...added]), signer, now, 'append');
      },
    });
  }
  return { retired, additions };
}

/** What an update puts into the variable: behind EFI_TIME (16 bytes) and the certificate, whose length comes first. */
export function contentOfUpdate(auth: Uint8Array): Uint8Array {
  const certificateBytes = new DataView(auth.buffer, auth.byteOffset, auth.byteLength).getUint32(16, true);
  return auth.subarray(16 + certificateBytes);
}

async function signerOf(
  keysDirectory: string,
  set: KeySetName,
  role: KeyRole,
  variable: SecureBootVariable,
  passphrase: PassphraseSource,
): Promise<Parameters<typeof authenticatedVariable>[2]> {
  const path = keyPath(keysDirectory, set, role, 'key');
  const key = await readPrivateKey(path, passphrase).catch((cause: unknown) => {
    throw new SlipwayError(
      'keys.private-key-missing',
      `cannot use ${path}, which signs changes of ${variable}`,
      { cause, hint: 'bring it for this command' },
    );
  });
  return {
    certificate: await readCertificate(keysDirectory, set, role),
    chain: [],
    sign: (digest) => Promise.resolve(signDigest(key, digest)),
  };
}

async function certificateOf(path: string): Promise<Uint8Array> {
  try {
    return new X509Certificate(await readFile(path)).raw;
  } catch (cause) {
    throw new SlipwayError('usage.certificate', `${path} is no certificate`, {
      cause,
      hint: 'PEM or DER; slipway keys leaf told where it put the one of the old leaf',
    });
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
