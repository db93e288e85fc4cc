/** The signature that lets a TPM accept PCR 11 of one UKI (systemd-measure(1), "sign"). */
import { createHash, createPublicKey } from 'node:crypto';
import { appendSections } from '../pe/append.ts';
import { signChecked, type PcrSigner } from './key.ts';
import { kernelBootPcr } from './measure.ts';

const PCR = 11;

/** The UKI with `.pcrsig` behind its other sections, which keep their places. It is not signed for the firmware yet. */
export async function withPcrSignature(uki: Uint8Array, signer: PcrSigner): Promise<Uint8Array> {
  const data = Buffer.from(await pcrSignature(uki, signer));
  return appendSections(uki, [{ name: '.pcrsig', data, kind: 'data' }]);
}

/** The content of `.pcrsig`; the same UKI and key give the same text. */
export async function pcrSignature(uki: Uint8Array, signer: PcrSigner): Promise<string> {
  const policy = pcrPolicy(kernelBootPcr(uki));
  const signature = await signChecked(signer, createHash('sha256').update(policy).digest());
  const entry = {
    pcrs: [PCR],
    pkfp: createHash('sha256')
      .update(createPublicKey(signer.publicKey).export({ type: 'pkcs1', format: 'der' }))
      .digest('hex'),
    pol: policy.toString('hex'),
    sig: Buffer.from(signature).toString('base64'),
  };
  return `${JSON.stringify({ sha256: [entry] })}\n`;
}

/** The policy digest after TPM2_PolicyPCR (TPM 2.0 library, part 3, 23.7) for this value of PCR 11 alone. */
export function pcrPolicy(value: Uint8Array): Buffer {
  const command = Buffer.from('0000017f', 'hex');
  // TPML_PCR_SELECTION: one bank, SHA-256, three bytes of bits.
  const bits = Buffer.alloc(3);
  bits[PCR >> 3] = 1 << (PCR & 7);
  const selection = Buffer.concat([Buffer.from('00000001000b03', 'hex'), bits]);
  const digest = createHash('sha256').update(value).digest();
  return createHash('sha256')
    .update(Buffer.concat([Buffer.alloc(32), command, selection, digest]))
    .digest();
}
