/** What every host holds, whatever its image definition adds: each entry with the reason why it is there. */
import type { ImageDefinition, PackageSelection } from '../../spec/image.ts';
import { hostNeeds } from '../../oci/init.ts';

const BASE: readonly PackageSelection[] = [
  // Process 1, the shell of the boot scripts, and the small programs that slipd starts.
  { name: 'busybox', files: ['/usr/bin/busybox'] },
  // The runtime of slipd and slip.
  { name: 'quickjs', files: ['/usr/bin/qjs'] },
  // Starts containers.
  { name: 'crun', files: ['/usr/bin/crun'] },
  // The monitor of each container, which outlives slipd, and its log writer.
  { name: 'runit', files: ['/usr/bin/runsv', '/usr/bin/svlogd'] },
  // Gives `slip shell` a terminal of its own (crun's relay of terminals loses output under bursts).
  { name: 'bsdutils', files: ['/usr/bin/script'] },
  // Opens the root in the initrd.
  { name: 'dmsetup', files: ['/usr/sbin/dmsetup'] },
  // Checks and grows the state partition; takes the protection off a firmware variable that is to go.
  { name: 'e2fsprogs', files: ['/usr/sbin/e2fsck', '/usr/sbin/resize2fs', '/usr/bin/chattr'] },
  // Unpacks payloads.
  { name: 'zstd', files: ['/usr/bin/zstd'] },
];

/** The packages of the host's own root: the base, what its services need, what the image adds. A name given twice adds its files. */
export function hostPackages(image: ImageDefinition): readonly PackageSelection[] {
  return [
    ...BASE,
    ...hostNeeds(image.services).packages,
    ...updateNeeds(image),
    ...encryptionNeeds(image),
    ...image.kernel.firmware,
    ...image.host.packages,
  ];
}

/** systemd's programs work without systemd; what they open by name at run time is named here. */
function encryptionNeeds({ state }: ImageDefinition): readonly PackageSelection[] {
  if (state === undefined) return [];
  return [
    { name: 'cryptsetup-bin', files: ['/usr/sbin/cryptsetup'] },
    { name: 'systemd-cryptsetup', files: ['/usr/bin/systemd-cryptenroll', '/usr/bin/systemd-cryptsetup'] },
    { name: 'libsystemd-shared', files: ['/usr/lib/*/systemd/libsystemd-shared-*.so'] },
    { name: 'libtss2-esys-3.0.2-0t64', files: ['/usr/lib/*/libtss2-esys.so.*'] },
    { name: 'libtss2-mu-4.0.1-0t64', files: ['/usr/lib/*/libtss2-mu.so.*'] },
    { name: 'libtss2-rc0t64', files: ['/usr/lib/*/libtss2-rc.so.*'] },
    { name: 'libtss2-tcti-device0t64', files: ['/usr/lib/*/libtss2-tcti-device.so.*'] },
  ];
}

/** busybox's wget does for plain HTTP, where signatures protect all. Whoever wants HTTPS gets a client that checks servers. */
function updateNeeds({ update }: ImageDefinition): readonly PackageSelection[] {
  if (update === undefined) return [];
  const { url, mirrors, ca } = update.settings;
  const secure = [url, ...mirrors].some((address) => address?.startsWith('https:') === true);
  if (!secure && ca === null) return [];
  const curl = { name: 'curl', files: ['/usr/bin/curl'] };
  return ca === null ? [curl, { name: 'ca-certificates', files: ['/usr/share/ca-certificates/**'] }] : [curl];
}
