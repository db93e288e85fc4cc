import fc from 'fast-check';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { parsePe, sectionData } from '../../../builder/pe/parse.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { lockedToolbox } from '../locked-toolbox.ts';

const stub = await readFile((await lockedToolbox()).file('/usr/lib/systemd/boot/efi/linuxx64.efi.stub'));

describe('a PE image', () => {
  test('shows its sections', () => {
    const pe = parsePe(stub);
    expect(pe.machine).toBe(0x8664);
    expect(pe.sections.map((section) => section.name)).toContain('.sdmagic');
    expect(pe.sectionAlignment).toBe(0x1000);
    expect(pe.security).toBeUndefined();
    expect(Buffer.from(sectionData(pe, '.sdmagic') ?? []).toString()).toContain('systemd-stub');
    expect(sectionData(pe, '.nosuch')).toBeUndefined();
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['text', Buffer.from('hello, world')],
    ['MZ alone', Buffer.from('MZ')],
    ['half a stub', stub.subarray(0, stub.length / 2)],
    ['headers alone', stub.subarray(0, 512)],
  ])('that is %s is refused', (_, bytes) => {
    expect(() => parsePe(bytes)).toThrowError(expect.objectContaining({ code: 'pe.invalid' }));
  });

  test('with hostile headers is either read or refused', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(0x400), fc.integer({ min: 0, max: 255 })), { maxLength: 24 }),
        (changes) => {
          const bytes = Buffer.from(stub);
          for (const [offset, value] of changes) bytes[offset] = value;
          expectReadOrRefused(bytes);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of random bytes is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (noise) => {
        expectReadOrRefused(Buffer.concat([Buffer.from('MZ'), noise]));
      }),
    );
  });
});

function expectReadOrRefused(bytes: Buffer): void {
  try {
    const pe = parsePe(bytes);
    for (const { name } of pe.sections) sectionData(pe, name);
  } catch (error) {
    expect(error).toBeInstanceOf(SlipwayError);
  }
}
