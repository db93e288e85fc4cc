import type { ImageDefinition } from '../../spec/image.ts';

const CONSOLES = {
  // The last one is /dev/console.
  amd64: ['console=tty0', 'console=ttyS0,115200'],
  arm64: ['console=tty0', 'console=ttyAMA0,115200'],
} as const;

/**
 * The signed baseline of the kernel's command line, then the image's own words. It is written into the UKI and, as the copy that /init
 * compares with what the kernel really got, into the initrd. Nothing on the machine takes the root hash from it: it is there for
 * people and tools.
 */
export function kernelCommandLine(
  image: Pick<ImageDefinition, 'architecture' | 'kernel'>,
  rootHash: string,
): string {
  return [
    ...CONSOLES[image.architecture],
    // Warnings and worse on the console; everything in the kernel's ring buffer.
    'loglevel=5',
    // Where the primary partition table is torn the kernel takes the copy, instead of seeing no partition (decisions.md 3).
    'gpt',
    // Nobody, not even root, changes the running kernel; only modules of the kernel's own package are loaded.
    'lockdown=integrity',
    'module.sig_enforce=1',
    // No self-tests of the cryptography at each start: they are for broken drivers of hardware that we don't have, and cost a fifth
    // of the time that an emulated machine takes to reach the initrd, and half of the time that each signed module takes.
    'cryptomgr.notests',
    // A machine that cannot go on starts again; during a trial that is one try less (decisions.md 16).
    'panic=10',
    'oops=panic',
    'softlockup_panic=1',
    ...image.kernel.commandLine,
    `roothash=${rootHash}`,
    // The kernel and its EFI stub read no parameter behind this; what is appended to the signed line (SMBIOS type 11, addons) thereby
    // becomes an argument of /init, which ignores it. Without, `rdinit=/usr/bin/busybox -- sh` gave a root shell (measured).
    '--',
  ].join(' ');
}
