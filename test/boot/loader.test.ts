import { readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { removeSignatures, signPe } from '../../builder/authenticode/sign.ts';
import { appendSections } from '../../builder/pe/append.ts';
import { run } from '../../builder/process/run.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { changeEsp, listEsp, withDiskCopy } from './disk-edit.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';
import { HEALTHY_LIMIT_MS, withMachine } from './machine.ts';

const LIMIT_MS = 8 * HEALTHY_LIMIT_MS;
// systemd-boot stops where it gets no memory, and the processor with it; the firmware's watchdog, which it sets to five minutes, then resets.
// `npm run test:full` waits for that, three times. In `npm test` the reset button comes before, and one try is enough.
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const MIB = 1024 * 1024;

/** What a failed update leaves: the machine must find back by itself, whoever looks at it (decisions.md 1). */
describe('a bad new version that is being tried, beside a good one', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;

  beforeAll(async () => {
    source = await buildTestImage('images/minimal.yaml');
  }, LIMIT_MS);

  /** The good UKI under a newer version, unsigned. */
  const newer = async (): Promise<Uint8Array> => {
    const uki = Buffer.from(removeSignatures(await readFile(source.disk.replace(/\.raw$/, '.efi'))));
    const place = uki.indexOf('IMAGE_VERSION=1.0.0');
    expect(place).toBeGreaterThan(0);
    uki.write('IMAGE_VERSION=9.0.0', place);
    return uki;
  };

  const signed = async (uki: Uint8Array): Promise<Uint8Array> => signPe(uki, (await testKeys()).uki);

  test.concurrent.each([
    {
      kind: 'truncated',
      tries: 3,
      make: async () => (await signed(await newer())).subarray(0, 5 * MIB),
      stops: undefined,
    },
    { kind: 'unsigned', tries: 3, make: newer, stops: undefined },
    {
      // More than the machine has memory.
      kind: 'oversized',
      tries: FULL ? 3 : 1,
      stops: /Assertion .*xmalloc, halting/,
      make: async () => {
        const padding = { name: '.pad', data: new Uint8Array(300 * MIB), kind: 'data' as const };
        return signed(appendSections(await newer(), [padding]));
      },
    },
  ])('$kind: the good one is reached with no key pressed', ({ kind, tries, make, stops }) =>
    withDiskCopy(source.disk, async (disk) => {
      const bad = `${basename(source.disk, '.raw').replace('1.0.0', '9.0.0')}`;
      await changeEsp(disk, { [`EFI/Linux/${bad}+${tries}.efi`]: await make() });
      const overlay = join(WORK, `loader-${kind}.qcow2`);
      const after = join(WORK, `loader-${kind}.raw`);
      await rm(overlay, { force: true });
      try {
        await withMachine({ name: `loader-${kind}`, disk, overlay, memoryMiB: 256 }, async (machine) => {
          if (stops !== undefined && !FULL) {
            await machine.waitForConsole(stops);
            await machine.reset();
          }
          const { status } = await machine.waitForReport('healthy', 7 * HEALTHY_LIMIT_MS);
          expect(status).toMatchObject({ image: { version: '1.0.0' }, problems: [] });
          // Each try was ended by the boot loader or the firmware itself.
          expect(machine.events.filter(({ event }) => event === 'RESET').length).toBe(tries);
        });
        const toolbox = await labToolbox();
        await run([...toolbox.command('qemu-img'), 'convert', '-O', 'raw', overlay, after]);
        expect(await listEsp(after, 'EFI/Linux')).toContain(`${bad}+0-${tries}.efi`);
      } finally {
        await rm(overlay, { force: true });
        await rm(after, { force: true });
      }
    }),
  );
});
