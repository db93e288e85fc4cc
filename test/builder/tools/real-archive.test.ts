/** Against Debian's own archive, where it can be reached: the real packages resolve, and their programs run. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMirrors } from '../../../builder/debian/mirror.ts';
import { fetchPackages } from '../../../builder/debian/fetch.ts';
import { openPackage } from '../../../builder/debian/package-content.ts';
import { compareDebianVersions } from '../../../builder/debian/version.ts';
import type { LockFile } from '../../../builder/lock/lock-file.ts';
import { resolveLock } from '../../../builder/lock/resolve.ts';
import { run } from '../../../builder/process/run.ts';
import { openToolbox, type Toolbox } from '../../../builder/tools/toolbox.ts';
import { imageOf } from '../lock/image.ts';

const context = { mirrors: () => findMirrors({}) };

/** Anything the mirror answers will do. */
async function reachable(): Promise<boolean> {
  try {
    const [mirror = ''] = (await findMirrors({})).main;
    return (
      await fetch(`${mirror}/dists/trixie/InRelease`, { method: 'HEAD', signal: AbortSignal.timeout(5000) })
    ).ok;
  } catch {
    return false;
  }
}

describe.runIf(await reachable())("Debian's archive", () => {
  let lock: LockFile;
  let toolbox: Toolbox;
  let folder: string;
  beforeAll(async () => {
    lock = await resolveLock(imageOf({ packages: ['openssh-server', 'chrony', 'curl'] }));
    toolbox = await openToolbox(lock.tools, context);
    folder = await mkdtemp(join(tmpdir(), 'slipway-tools-'));
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true }));

  test('every library that a program needs is in the lock', async () => {
    const libraries = lock.packages.filter(({ name }) => !name.startsWith('linux-image-'));
    const needed = new Map<string, string>();
    const provided = new Set<string>();
    for (const path of await fetchPackages(libraries, context)) {
      for (const entry of (await openPackage(path)).entries) {
        if (entry.soname !== undefined) provided.add(entry.soname);
        for (const name of entry.needed ?? []) needed.set(name, entry.path);
      }
    }
    expect([...needed].filter(([name]) => !provided.has(name))).toEqual([]);
    expect(needed.size).toBeGreaterThan(30);
    expect(lock.packages.map(({ name }) => name)).not.toContain('perl');
  }, 120_000);

  test('the boot loader is new enough to count boots by itself', () => {
    const loader = lock.tools.find(({ name }) => name === 'systemd-boot-efi');
    expect(compareDebianVersions(loader?.version ?? '0', '262')).toBeGreaterThanOrEqual(0);
    expect(toolbox.file('/usr/lib/systemd/boot/efi/linuxx64.efi.stub')).toContain(toolbox.root);
  });

  test('the kernel is the newest signed one of the suite and its security updates', () => {
    const kernel = lock.packages.find(({ name }) => name === lock.requested.kernelResolved);
    expect(kernel?.source).toBe('linux-signed-amd64');
    expect(kernel?.sizeBytes).toBeGreaterThan(10_000_000);
  });

  test.each([
    ['mkfs.erofs', ['--version']],
    ['fsck.erofs', ['--version']],
    ['veritysetup', ['--version']],
    ['mkfs.vfat', ['--help']],
    ['fsck.vfat', ['--help']],
    ['mke2fs', ['-V']],
    ['mkfs.ext4', ['-V']],
    ['resize2fs', []],
    ['mcopy', ['-V']],
    ['sfdisk', ['--version']],
    ['zstd', ['--version']],
    ['xz', ['--version']],
  ])('%s runs', async (program, args) => {
    const outcome = await run([...toolbox.command(program), ...args]).catch((error: unknown) =>
      String(error),
    );
    expect(typeof outcome === 'string' ? outcome : '').not.toMatch(
      /shared librar|not found|cannot open|exit code 127/,
    );
  });

  test('file systems made with them are right', async () => {
    const disk = join(folder, 'disk');
    await writeFile(disk, '');
    await truncate(disk, 64 * 1024 * 1024);
    await run([...toolbox.command('mkfs.vfat'), '-F', '32', disk]);
    await run([...toolbox.command('mmd'), '-i', disk, '::/EFI']);
    await run([...toolbox.command('fsck.vfat'), '-n', disk]);
    await run([...toolbox.command('mkfs.ext4'), '-q', '-F', disk]);
    await run([...toolbox.command('e2fsck'), '-fn', disk]);
  });
});
