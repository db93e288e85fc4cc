/** What of the boot partition may be started: whose signers must stay trusted. */
import { UKI_COPY } from '../../../spec/esp.ts';
import type { System } from '../../../system/system.ts';
import type { BootDisk } from './boot-disk.ts';
import { ukiEntries } from './entries.ts';
import { LOADER_COPIES, startedThrough } from './loader.ts';
import { ESP_MOUNT } from './machine-esp.ts';
import { imageCertificates, type ImageCertificate } from './pe-certificates.ts';

export interface BootFile {
  /** From the root of the boot partition. */
  readonly path: string;
  /** `undefined`: they cannot be read. */
  readonly certificates: readonly ImageCertificate[] | undefined;
}

/** Both copies of the boot loader, and the one that this start went through; each UKI that is not given up; the copy of the one that runs. */
export async function bootFiles(
  system: System,
  disk: BootDisk,
  architecture: string,
): Promise<readonly BootFile[]> {
  const through = await startedThrough(disk);
  return disk.withEsp(async (esp) => {
    const loaders = [...(LOADER_COPIES[architecture] ?? []), through ?? 'EFI/unknown'];
    const copy = system.status(`${ESP_MOUNT}/${UKI_COPY}`);
    const paths = [
      ...loaders.filter((path, at) => loaders.findIndex((other) => isSame(other, path)) === at),
      ...(await ukiEntries(esp)).filter(({ tries }) => tries?.left !== 0).map(({ path }) => path),
      ...(copy === undefined || copy.sizeBytes === 0 ? [] : [UKI_COPY]),
    ];
    return paths.map((path) => ({ path, certificates: fileCertificates(system, `${ESP_MOUNT}/${path}`) }));
  });
}

function fileCertificates(system: System, path: string): BootFile['certificates'] {
  const fd = system.open(path, { access: 'read' });
  if (fd < 0) return undefined;
  const certificates = imageCertificates((offset, length) => {
    const bytes = system.readAt(fd, offset, length);
    return bytes === 'failed' ? new Uint8Array(0) : bytes;
  });
  system.close(fd);
  return certificates;
}

function isSame(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
