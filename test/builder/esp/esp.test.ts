import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { espFiles, loaderConf } from '../../../builder/esp/files.ts';
import { readFat } from '../../../builder/esp/read.ts';
import { partOf, withFile } from '../../../builder/inspect/source.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { scratchDirectory } from '../scratch.ts';
import { makeTestDisk, partitionOf } from '../test-disk.ts';
import { testKeys } from '../test-keys.ts';

const made = await makeTestDisk(join(scratchDirectory(), 'made'));
const keys = await loadKeys(await testKeys());

describe('the EFI system partition', () => {
  test('has exactly these files, with these bytes', async () => {
    const { offsetBytes, sizeBytes } = partitionOf('esp');
    const found = await withFile(made.disk, async (source) => {
      const files = await readFat(partOf(source, offsetBytes, sizeBytes));
      return Promise.all(files.map(async (file) => [file.path, await file.read()] as const));
    });
    expect(found.map(([path]) => path).sort()).toEqual([
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/Linux/test_1.0.0.efi',
      'EFI/SLIPWAY/README.TXT',
      'EFI/systemd/systemd-bootx64.efi',
      'loader/entries/slipway-copy.conf',
      'loader/keys/auto/KEK.auth',
      'loader/keys/auto/PK.auth',
      'loader/keys/auto/db.auth',
      'loader/loader.conf',
    ]);
    const contents = new Map(found);
    expect(contents.get('EFI/Linux/test_1.0.0.efi')?.equals(made.uki)).toBe(true);
    expect(contents.get('loader/loader.conf')?.toString()).toBe(loaderConf('if-safe'));
    expect(contents.get('loader/keys/auto/db.auth')?.equals(keys.db.auth)).toBe(true);
  });

  test('holds no keys unless they are to be enrolled from it, and is named for its architecture', () => {
    const files = espFiles({
      architecture: 'arm64',
      bootLoader: Buffer.from('loader'),
      uki: { fileName: 'a_1.efi', bytes: Buffer.from('uki') },
    });
    expect(files.map(({ path }) => path)).toEqual([
      'EFI/BOOT/BOOTAA64.EFI',
      'EFI/systemd/systemd-bootaa64.efi',
      'EFI/Linux/a_1.efi',
      'loader/loader.conf',
      'loader/entries/slipway-copy.conf',
      'EFI/SLIPWAY/README.TXT',
    ]);
    expect(Buffer.from(files[3]?.bytes ?? []).toString()).toContain('secure-boot-enroll off\n');
  });
});

describe('loader.conf', () => {
  test('never waits, never edits, and reboots on errors', () => {
    expect(loaderConf('off').split('\n')).toEqual([
      'timeout 0',
      'editor no',
      'auto-entries no',
      'auto-firmware no',
      'reboot-on-error yes',
      'secure-boot-enroll off',
      '',
    ]);
  });
});
