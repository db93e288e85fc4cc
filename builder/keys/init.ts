/** Makes a keys directory: two worlds of Secure Boot keys, one for production and one for debugging, and the key that PCR 11 is signed with. */
import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { Signer } from '../authenticode/signer.ts';
import { publish, temporaryName, writeFileAtomic } from '../cache/directory.ts';
import { certificateToPem, makeCertificate, type CertificateRequest } from './certificate.ts';
import {
  ENROLLED_ROLES,
  KEY_ROLES,
  KEY_SETS,
  keyPath,
  keysFilePath,
  type KeyRole,
  type KeySetName,
  type KeysFile,
} from './directory.ts';
import { authenticatedVariable, signatureList } from './esl.ts';
import { makePcrKey } from '../pcr/key.ts';
import { generateRsaKey, privateKeyToPem, signDigest, type KeyPair } from './private-key.ts';

export interface InitOptions {
  /** Encrypts every private key. */
  readonly passphrase?: string;
  /** Stands in the certificates' subjects. */
  readonly organization?: string;
  readonly now?: Date;
}

const USE: Record<KeyRole, CertificateRequest['use']> = {
  PK: 'variable',
  KEK: 'variable',
  db: 'authority',
  leaf: 'code',
};
/** Firmware does not look at dates; people and other tools do. A leaf is replaced with each release line. */
const VALID_YEARS: Record<KeyRole, number> = { PK: 30, KEK: 30, db: 30, leaf: 15 };

/** Makes `directory` in one step; throws `keys.exists` rather than touch one that holds anything. */
export async function initKeys(directory: string, options: InitOptions = {}): Promise<void> {
  await refuseUsed(directory);
  const now = options.now ?? new Date();
  const file: KeysFile = {
    format: '1.0',
    owner: randomUUID(),
    created: now.toISOString(),
    signers: {},
  };
  const final = resolve(directory);
  const temporary = temporaryName(final);
  await mkdir(dirname(final), { recursive: true });
  await mkdir(temporary, { mode: 0o700 });
  try {
    await Promise.all(KEY_SETS.map((set) => makeKeySet(temporary, set, file, { ...options, now })));
    await makePcrKey(temporary, options);
    await writeFileAtomic(keysFilePath(temporary), `${JSON.stringify(file, undefined, 2)}\n`);
    await publish(temporary, final).catch((cause: unknown) => {
      throw new SlipwayError('keys.exists', `${directory} appeared while its keys were being made`, {
        cause,
      });
    });
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function refuseUsed(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const names = await readdir(directory).catch(() => ['']);
  if (names.length === 0) return;
  throw new SlipwayError('keys.exists', `${directory} exists already; keys are never overwritten`, {
    hint: 'name another directory, or move this one away (without its keys, machines that trust them accept no further update)',
  });
}

async function makeKeySet(
  directory: string,
  set: KeySetName,
  file: KeysFile,
  options: InitOptions & { now: Date },
): Promise<void> {
  const pairs = Object.fromEntries(
    await Promise.all(KEY_ROLES.map(async (role) => [role, await generateRsaKey()] as const)),
  ) as Record<KeyRole, KeyPair>;
  const request = (role: KeyRole): CertificateRequest => ({
    commonName: commonName(set, role),
    organization: options.organization ?? 'Slipway',
    publicKey: pairs[role].publicKey,
    use: USE[role],
    serialNumber: randomBytes(16),
    notBefore: options.now,
    notAfter: yearsLater(options.now, VALID_YEARS[role]),
  });
  const signWith = (role: KeyRole): Signer['sign'] => {
    return (digest) => Promise.resolve(signDigest(pairs[role].privateKey, digest));
  };
  const [pk, kek, db] = await Promise.all(
    ENROLLED_ROLES.map((role) => makeCertificate(request(role), { sign: signWith(role) })),
  );
  if (pk === undefined || kek === undefined || db === undefined) throw new Error('a certificate is missing');
  const leaf = await makeCertificate(request('leaf'), { certificate: db, sign: signWith('db') });
  const certificates = { PK: pk, KEK: kek, db, leaf };

  for (const role of KEY_ROLES) {
    const pem = await privateKeyToPem(pairs[role].privateKey, options.passphrase);
    await writeFileAtomic(keyPath(directory, set, role, 'key'), pem, 0o600);
    await writeFileAtomic(keyPath(directory, set, role, 'crt'), certificateToPem(certificates[role]));
  }
  // The platform key answers for itself and for KEK; KEK answers for db.
  const authority = { PK: 'PK', KEK: 'PK', db: 'KEK' } as const;
  for (const role of ENROLLED_ROLES) {
    const esl = signatureList(file.owner, [{ type: 'x509', certificate: certificates[role] }]);
    const by = authority[role];
    const signer: Signer = { certificate: certificates[by], chain: [], sign: signWith(by) };
    await writeFileAtomic(keyPath(directory, set, role, 'esl'), esl);
    await writeFileAtomic(
      keyPath(directory, set, role, 'auth'),
      await authenticatedVariable(role, esl, signer, options.now),
    );
  }
}

function commonName(set: KeySetName, role: KeyRole): string {
  const names: Record<KeyRole, string> = {
    PK: 'platform key',
    KEK: 'key exchange key',
    db: 'image signing CA',
    leaf: 'image signing 1',
  };
  return set === 'debug' ? `DEBUG ${names[role]} (not for production)` : names[role];
}

/** The same day, years later. */
export function yearsLater(date: Date, years: number): Date {
  const result = new Date(date);
  result.setUTCFullYear(result.getUTCFullYear() + years);
  return result;
}
