import { beforeAll, describe, expect, test } from 'vitest';
import { signatureList } from '../../builder/keys/esl.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import { buildTestImage, testKeys } from './image.ts';
import { HEALTHY_LIMIT_MS, withMachine } from './machine.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;

/** What our `.auth` files and signature lists mean to real firmware. */
describe('keys in the firmware', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;

  beforeAll(async () => {
    source = await buildTestImage('images/tiny.yaml');
  }, LIMIT_MS);

  test('are enrolled from the disk on a machine in setup mode, which then starts under Secure Boot', () =>
    withMachine({ name: 'enrolment', disk: source.disk, trust: 'none' }, async (machine) => {
      await machine.waitForConsole(/Custom Secure Boot keys successfully enrolled/, HEALTHY_LIMIT_MS);
      await machine.waitForConsole(/UEFI Secure Boot is enabled/, HEALTHY_LIMIT_MS);
    }));

  test('start nothing of a leaf that dbx names', async () => {
    const { pk, kek, db, owner, uki } = await testKeys();
    const dbx = signatureList(owner, [{ type: 'x509', certificate: uki.certificate }]);
    const secureBoot = { PK: pk.esl, KEK: kek.esl, db: db.esl, dbx };
    await withMachine({ name: 'retired-leaf', disk: source.disk, secureBoot }, async (machine) => {
      await machine.waitForConsole(/Access Denied/, HEALTHY_LIMIT_MS);
      await machine.waitForConsole(/No bootable option/, HEALTHY_LIMIT_MS);
      expect(machine.console()).not.toContain('EFI stub');
    });
  });
});
