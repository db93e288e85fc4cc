/**
 * What systemd-stub leaves in PCR 11 (UAPI's UKI specification, "PCR 11"; docs/TPM2_PCR_MEASUREMENTS of systemd): of each section that it
 * measures, in its own order and not the file's, first the name with its NUL, then the content. Nobody extends the register between the
 * stub and our /init, so this is the value that a state partition opens under.
 */
import { createHash } from 'node:crypto';
import { parsePe, sectionData, type PeImage } from '../pe/parse.ts';

/** The order of systemd's `UnifiedSection`; `.pcrsig` is left out there too, since it signs what comes of this. */
const MEASURED = [
  ...['.linux', '.osrel', '.cmdline', '.initrd', '.ucode', '.splash', '.dtb', '.uname', '.sbat', '.pcrpkey'],
  ...['.profile', '.dtbauto', '.hwids', '.efifw'],
] as const;

/** PCR 11 of the SHA-256 bank after `uki` was started, 32 bytes. */
export function kernelBootPcr(uki: Uint8Array): Buffer {
  const pe = parsePe(uki);
  return MEASURED.reduce<Buffer>((register, name) => {
    const content = contentDigest(pe, name);
    if (content === undefined) return register;
    return extend(extend(register, sha256(Buffer.from(`${name}\0`))), content);
  }, Buffer.alloc(32));
}

/** As it lies in memory: the stub measures `VirtualSize` bytes, and behind the file's bytes are zeros. */
function contentDigest(pe: PeImage, name: string): Buffer | undefined {
  const data = sectionData(pe, name);
  const section = pe.sections.find((candidate) => candidate.name === name);
  if (data === undefined || section === undefined) return undefined;
  return createHash('sha256')
    .update(data)
    .update(Buffer.alloc(section.virtualSize - data.length))
    .digest();
}

/** TPM2_PCR_Extend (TPM 2.0 library, part 3, 22.2). */
function extend(register: Uint8Array, digest: Uint8Array): Buffer {
  return sha256(Buffer.concat([register, digest]));
}

function sha256(data: Uint8Array): Buffer {
  return createHash('sha256').update(data).digest();
}
