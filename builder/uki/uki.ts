/** A Unified Kernel Image: systemd-stub with the sections of UAPI's UKI specification. */
import { SlipwayError } from '../../spec/error.ts';
import { appendSections, type NewSection } from '../pe/append.ts';
import { DLL_NX_COMPAT, parsePe, sectionData, type PeImage } from '../pe/parse.ts';

export interface UkiInputs {
  /** `linux<arch>.efi.stub` of systemd 262 or newer. */
  readonly stub: Uint8Array;
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  /** An uncompressed cpio archive that the stub puts before the initrd. */
  readonly microcode?: Uint8Array;
  readonly commandLine: string;
  /** Text of os-release, see `osRelease`. */
  readonly osRelease: string;
  /** `uname -r` of the kernel. */
  readonly uname: string;
  /** Whose signatures of PCR 11 count, PEM (builder/pcr/); measured with the rest. */
  readonly pcrPublicKey?: string;
}

/** The unsigned UKI; the same inputs give the same bytes. The names and the order of its sections are ukify's. */
export function makeUki(inputs: UkiInputs): Uint8Array {
  const kernel = parsePe(inputs.kernel);
  checkMachines(parsePe(inputs.stub), kernel);
  const sections: readonly NewSection[] = [
    { name: '.osrel', data: text(inputs.osRelease), kind: 'data' },
    { name: '.cmdline', data: text(inputs.commandLine), kind: 'data' },
    { name: '.uname', data: text(inputs.uname), kind: 'data' },
    ...(inputs.pcrPublicKey === undefined
      ? []
      : [{ name: '.pcrpkey', data: text(inputs.pcrPublicKey), kind: 'data' as const }]),
    // A kernel that is started in place decompresses into its own section and wants as much memory as its own header says.
    { name: '.linux', data: inputs.kernel, virtualSize: kernel.sizeOfImage, kind: 'code' },
    ...(inputs.microcode === undefined
      ? []
      : [{ name: '.ucode', data: inputs.microcode, kind: 'data' as const }]),
    { name: '.initrd', data: inputs.initrd, kind: 'data' },
    ...sbat(parsePe(inputs.stub), kernel),
  ];
  // Both must agree, or firmware that enforces NX starts the stub and then refuses the kernel.
  const nxCompatible = (kernel.dllCharacteristics & DLL_NX_COMPAT) !== 0;
  return appendSections(inputs.stub, sections, { nxCompatible });
}

function checkMachines(stub: PeImage, kernel: PeImage): void {
  if (stub.machine === kernel.machine) return;
  const name = (pe: PeImage): string => MACHINES[pe.machine] ?? `machine 0x${pe.machine.toString(16)}`;
  throw new SlipwayError('uki.machine', `the stub is for ${name(stub)}, but the kernel for ${name(kernel)}`);
}

export const MACHINES: Readonly<Record<number, string>> = { 0x8664: 'amd64', 0xaa64: 'arm64' };

/** The stub's revocation levels and the kernel's, where that has any, with one `sbat` line. */
function sbat(stub: PeImage, kernel: PeImage): NewSection[] {
  const ofKernel = sectionData(kernel, '.sbat');
  const ofStub = sectionData(stub, '.sbat');
  if (ofKernel === undefined || ofStub === undefined) return [];
  const lines = (data: Uint8Array): string[] =>
    Buffer.from(data)
      .toString('latin1')
      .split(/[\n\0]+/)
      .filter((line) => line !== '');
  const merged = [
    ...lines(ofStub),
    ...lines(ofKernel).filter((line) => !line.startsWith('sbat,') && !lines(ofStub).includes(line)),
  ];
  return [{ name: '.sbat', data: text(`${merged.join('\n')}\n`), kind: 'data' }];
}

function text(value: string): Uint8Array {
  return Buffer.from(value, 'utf8');
}
