/** An archive with everything that a lock needs, each package empty, and some that depend on each other in the ways Debian's do. */
import {
  BOOT_LOADER_PACKAGE,
  BOOT_LOADER_SUITE,
  BUILD_TOOL_PACKAGES,
} from '../../../builder/tools/packages.ts';
import { hostPackages } from '../../../builder/tree/host-packages.ts';
import { startRepository, type PackageRecipe, type TestRepository } from '../debian/repository.ts';
import { imageOf } from './image.ts';

const KERNEL = 'linux-image-6.12.1+deb13-cloud-amd64';

/** Packages of the suite trixie. */
const TRIXIE: readonly PackageRecipe[] = [
  { name: 'libc6', section: 'libs', fields: { Depends: 'libgcc-s1' } },
  { name: 'libgcc-s1', section: 'libs', fields: { Depends: 'libc6 (>= 2.35)', Source: 'gcc-14 (14.2.0-1)' } },
  { name: 'libssl3t64', version: '3.5.1-1', section: 'libs', fields: { Depends: 'libc6' } },
  { name: 'libwtmp0', section: 'oldlibs', fields: { Depends: 'libdb5.3t64' } },
  { name: 'libdb5.3t64', section: 'libs', fields: { Provides: 'libdb5.3 (= 1)' } },
  { name: 'perl', section: 'perl', fields: { Depends: 'libperl5.40' } },
  { name: 'libperl5.40', section: 'libs' },
  { name: 'daemon-data', architecture: 'all', section: 'net' },
  {
    name: 'daemon',
    version: '1:10.0p1-7',
    section: 'net',
    fields: {
      'Pre-Depends': 'libc6 (>= 2.38)',
      Depends: 'perl:any, libssl3t64 (>= 3), absent | libwtmp0 | libperl5.40, libdb5.3, daemon-data (= 1.0)',
      Recommends: 'libperl5.40',
    },
  },
  { name: 'linux-image-cloud-amd64', section: 'kernel', fields: { Depends: `${KERNEL} (= 1.0)` } },
  { name: KERNEL, section: 'kernel', fields: { Depends: 'kmod | linux-initramfs-tool' } },
];

export async function startSmallArchive(): Promise<TestRepository> {
  const repository = await startRepository();
  const known = new Set(TRIXIE.map(({ name }) => name));
  const others = [...hostPackages(imageOf()).map(({ name }) => name), ...BUILD_TOOL_PACKAGES];
  const empty = [...new Set(others)]
    .filter((name) => !known.has(name))
    .map((name) => ({ name, fields: { Depends: 'libc6' } }));
  await repository.publish('trixie', [...TRIXIE, ...empty]);
  await repository.publish('trixie-updates', []);
  await repository.publish('trixie-security', [
    { name: 'libssl3t64', version: '3.5.1-1+deb13u1', section: 'libs', fields: { Depends: 'libc6' } },
  ]);
  await repository.publish(BOOT_LOADER_SUITE, [
    { name: BOOT_LOADER_PACKAGE, version: '262-1' },
    { name: 'daemon', version: '99' },
  ]);
  return repository;
}
