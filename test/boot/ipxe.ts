/** iPXE for UEFI, as Debian has it; nothing of it is ours. */
import { openArchive } from '../../builder/debian/archive.ts';
import { closePackages } from '../../builder/debian/closure.ts';
import { findMirrors } from '../../builder/debian/mirror.ts';
import { lockedPackage, suitesOf } from '../../builder/lock/resolve.ts';
import { LAB_SUITE } from '../../builder/tools/packages.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';

/** Path of the program. */
export async function ipxe(): Promise<string> {
  const mirrors = await findMirrors({});
  const archive = await openArchive({ mirrors, suites: suitesOf(LAB_SUITE), architecture: 'amd64' });
  const packages = closePackages(archive, ['ipxe']).map(lockedPackage);
  const toolbox = await openToolbox(packages, { mirrors: () => Promise.resolve(mirrors) });
  return toolbox.file('/usr/lib/ipxe/ipxe.efi');
}
