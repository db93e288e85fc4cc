/** The yardstick: the same kernel, started the same way, with nothing but busybox in its initrd. */
import { removeSignatures, signPe } from '../builder/authenticode/sign.ts';
import type { Signer } from '../builder/authenticode/signer.ts';
import { writeCpio } from '../builder/initrd/cpio.ts';
import { parsePe, sectionData } from '../builder/pe/parse.ts';
import { REPORT_PORT } from '../spec/machine.ts';

/** The UKI with its initrd exchanged for one that reports when its first program runs, in the form of a machine's report. */
export async function bareUki(uki: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return ukiWith(uki, signer, INIT);
}

/** The UKI with an initrd of busybox, what of the old one `also` matches (paths without the first slash), and `/init`. */
export async function ukiWith(
  uki: Uint8Array,
  signer: Signer,
  init: string,
  also?: RegExp,
): Promise<Uint8Array> {
  const bare = Uint8Array.from(removeSignatures(uki));
  const section = sectionData(parsePe(bare), '.initrd');
  if (section === undefined) throw new Error('the UKI has no initrd');
  const initrd = bareInitrd(Buffer.from(section), init, also);
  // A view of `bare`: zeros behind an initrd mean nothing to the kernel.
  section.fill(0);
  section.set(initrd);
  return signPe(bare, signer);
}

const TRAILER = 'TRAILER!!!';
const KEPT =
  /^(?:\.|usr|usr\/bin|usr\/bin\/busybox|bin|lib|lib64|usr\/lib|usr\/lib64|usr\/lib\/x86_64-linux-gnu)$|\/(?:ld-linux|libc|libresolv)[^/]*$/;

const INIT = `#!/usr/bin/busybox sh
busybox mkdir -p /proc /sys /dev
busybox mount -t proc proc /proc
read -r up _ </proc/uptime
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
for name in /sys/class/virtio-ports/*/name; do
	read -r text <"$name"
	port=\${name%/name}
	[ "$text" != ${REPORT_PORT} ] || echo "{\\"event\\":\\"started\\",\\"uptimeMs\\":\${up%.*}\${up#*.}0}" >"/dev/\${port##*/}"
done
while :; do busybox sleep 1000; done
`;

function bareInitrd(full: Buffer, text: string, also?: RegExp): Uint8Array {
  const init = writeCpio([
    {
      path: '/init',
      mode: 0o755,
      uid: 0,
      gid: 0,
      component: 'bench',
      type: 'file',
      source: { kind: 'bytes', bytes: Buffer.from(text) },
    },
  ]);
  return Buffer.concat([...keptRecords(full, also), init]);
}

/** The records of busybox and its libraries, as they stand in the archive ("newc": hexadecimal header, name, data, each padded to 4). */
function keptRecords(archive: Buffer, also?: RegExp): Buffer[] {
  const kept: Buffer[] = [];
  for (let offset = 0; ;) {
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', offset + 6 + 8 * index, offset + 14 + 8 * index), 16);
    const nameEnd = offset + 110 + field(11);
    const dataStart = (nameEnd + 3) & ~3;
    const end = (dataStart + field(6) + 3) & ~3;
    const name = archive.toString('latin1', offset + 110, nameEnd - 1);
    if (name === TRAILER || archive.toString('latin1', offset, offset + 6) !== '070701') return kept;
    if (KEPT.test(name) || also?.test(name) === true) kept.push(archive.subarray(offset, end));
    offset = end;
  }
}
