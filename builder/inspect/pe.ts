/** What a UKI or a boot loader holds, and who signed it. */
import { SlipwayError } from '../../spec/error.ts';
import { isTrustedBy, readSignatures, type PeSignature } from '../authenticode/read.ts';
import { fingerprint } from '../keys/certificate.ts';
import { oneLine } from '../keys/list.ts';
import { parsePe, sectionData, type PeImage } from '../pe/parse.ts';
import { parseOsRelease } from '../uki/os-release.ts';
import { MACHINES } from '../uki/uki.ts';

/** A certificate that somebody trusts, under a name: `release`, `debug`. */
export interface TrustAnchor {
  readonly name: string;
  /** DER. */
  readonly certificate: Uint8Array;
}

export interface SignatureReport {
  readonly signer: string;
  /** SHA-256 of the signer's certificate. */
  readonly fingerprint: string;
  /** Subjects from the signer up to the last issuer that the signature carries. */
  readonly chain: readonly string[];
  /** Whether the image is what that signer signed. */
  readonly valid: boolean;
  readonly problems: readonly string[];
  /** Names of the anchors that its chain leads to; absent where none were given. */
  readonly trustedBy?: readonly string[];
}

export interface PeReport {
  readonly kind: 'uki' | 'pe';
  readonly architecture: string;
  readonly sizeBytes: number;
  readonly name?: string;
  readonly version?: string;
  readonly kernel?: string;
  readonly commandLine?: string;
  readonly rootHash?: string;
  readonly sections: readonly {
    readonly name: string;
    readonly sizeBytes: number;
    readonly virtualSizeBytes: number;
  }[];
  readonly signatures: readonly SignatureReport[];
  /** Why the signatures could not be read. */
  readonly signatureError?: string;
}

/** Throws `pe.invalid` for what is no PE image. */
export function inspectPe(bytes: Uint8Array, anchors: readonly TrustAnchor[] | undefined): PeReport {
  const pe = parsePe(bytes);
  const text = (section: string): string | undefined => {
    const data = sectionData(pe, section);
    return data === undefined ? undefined : Buffer.from(data).toString('utf8').replace(/\0+$/, '').trimEnd();
  };
  const release = parseOsRelease(text('.osrel') ?? '');
  const commandLine = text('.cmdline');
  return {
    kind: isUki(pe) ? 'uki' : 'pe',
    architecture: MACHINES[pe.machine] ?? `0x${pe.machine.toString(16)}`,
    sizeBytes: bytes.length,
    ...optional('name', release.get('VARIANT_ID')),
    ...optional('version', release.get('IMAGE_VERSION')),
    ...optional('kernel', text('.uname')),
    ...optional('commandLine', commandLine),
    ...optional('rootHash', /(?:^|\s)roothash=([0-9a-f]{64})(?:\s|$)/.exec(commandLine ?? '')?.[1]),
    sections: pe.sections.map(({ name, rawSize, virtualSize }) => ({
      name,
      sizeBytes: Math.min(rawSize, virtualSize),
      virtualSizeBytes: virtualSize,
    })),
    ...signatures(bytes, anchors),
  };
}

/** A UKI is a stub with a kernel in it (UAPI.5). */
function isUki(pe: PeImage): boolean {
  return ['.linux', '.osrel'].every((name) => pe.sections.some((section) => section.name === name));
}

function signatures(
  bytes: Uint8Array,
  anchors: readonly TrustAnchor[] | undefined,
): Pick<PeReport, 'signatures' | 'signatureError'> {
  try {
    return { signatures: readSignatures(bytes).map((signature) => report(signature, anchors)) };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return { signatures: [], signatureError: error.message };
  }
}

function report(signature: PeSignature, anchors: readonly TrustAnchor[] | undefined): SignatureReport {
  return {
    signer: oneLine(signature.signer.subject),
    fingerprint: fingerprint(signature.signer.raw),
    chain: signature.chain.map((certificate) => oneLine(certificate.subject)),
    valid: signature.problems.length === 0,
    problems: signature.problems,
    ...(anchors === undefined
      ? {}
      : {
          trustedBy: anchors
            .filter((anchor) => isTrustedBy(signature, anchor.certificate))
            .map((anchor) => anchor.name),
        }),
  };
}

function optional<K extends string>(key: K, value: string | undefined): { [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: string });
}
