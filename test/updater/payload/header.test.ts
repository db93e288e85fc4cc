/** The header: what is written is read; what is not exactly that is refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeNumber, writeSigned } from '../../../updater/payload/bytes.ts';
import { encodeHeader, parseHeader, type EncodableOperation } from '../../../updater/payload/header.ts';
import { LIMITS } from '../../../updater/payload/limits.ts';

const DIGEST = 'ab'.repeat(32);
const MAGIC = [...Buffer.from('SLIPWAY\x01', 'latin1')];

/** A header from its numbers, so that each can be a wrong one. */
function raw(fields: {
  readonly magic?: readonly number[];
  readonly log2?: number;
  readonly target?: number;
  readonly source?: number;
  readonly count?: number;
  readonly operations: readonly (readonly number[])[];
  readonly tail?: readonly number[];
}): Uint8Array {
  const bytes: number[] = [...(fields.magic ?? MAGIC), fields.log2 ?? 12];
  for (const value of [
    fields.target ?? 8192,
    fields.source ?? 8192,
    fields.count ?? fields.operations.length,
  ])
    writeNumber(bytes, value);
  return Uint8Array.from([...bytes, ...fields.operations.flat(), ...(fields.tail ?? [])]);
}

const digest = Array.from({ length: 32 }, () => 0xab);
const unsigned = (value: number): number[] => {
  const bytes: number[] = [];
  writeNumber(bytes, value);
  return bytes;
};
const signed = (value: number): number[] => {
  const bytes: number[] = [];
  writeSigned(bytes, value);
  return bytes;
};
const zero = (blocks: number): number[] => unsigned(blocks * 4);
const copy = (blocks: number, move: number): number[] => [...unsigned(blocks * 4 + 1), ...signed(move)];
const full = (blocks: number, stored = 100): number[] => [
  ...unsigned(blocks * 4 + 2),
  ...unsigned(stored),
  ...digest,
];
const patch = (
  blocks: number,
  extents: readonly (readonly [number, number])[],
  content = 50,
  stored = 40,
): number[] => [
  ...unsigned(blocks * 4 + 3),
  ...unsigned(extents.length),
  ...extents.flatMap(([move, length]) => [...signed(move), ...unsigned(length)]),
  ...unsigned(content),
  ...unsigned(stored),
  ...digest,
  ...digest,
];

test('a header with one of each operation says where everything lies', () => {
  const bytes = raw({
    target: 5 * 4096,
    source: 3 * 4096,
    operations: [
      copy(1, 2),
      zero(1),
      full(1, 77),
      patch(2, [
        [-3, 1],
        [1, 1],
      ]),
    ],
  });
  const header = parseHeader(bytes);
  expect(header).toEqual({
    blockBytes: 4096,
    targetBytes: 20480,
    sourceBytes: 12288,
    headerBytes: bytes.length,
    payloadBytes: bytes.length + 77 + 40,
    operations: [
      { kind: 'copy', target: { offset: 0, sizeBytes: 4096 }, sourceOffset: 8192 },
      { kind: 'zero', target: { offset: 4096, sizeBytes: 4096 } },
      {
        kind: 'full',
        target: { offset: 8192, sizeBytes: 4096 },
        blob: { offset: bytes.length, storedBytes: 77, sha256: DIGEST, contentBytes: 4096 },
      },
      {
        kind: 'patch',
        target: { offset: 12288, sizeBytes: 8192 },
        extents: [
          { offset: 0, sizeBytes: 4096 },
          { offset: 8192, sizeBytes: 4096 },
        ],
        blob: { offset: bytes.length + 77, storedBytes: 40, sha256: DIGEST, contentBytes: 50 },
        resultSha256: DIGEST,
      },
    ],
  });
  expect(encodeHeader(header)).toEqual(bytes);
});

test('an image that is not whole blocks ends in a short one', () => {
  const bytes = raw({
    log2: 9,
    target: 1500,
    source: 1100,
    operations: [full(1), copy(1, 0), patch(1, [[1, 1]])],
  });
  const { operations } = parseHeader(bytes);
  expect(operations.map(({ target }) => target)).toEqual([
    { offset: 0, sizeBytes: 512 },
    { offset: 512, sizeBytes: 512 },
    { offset: 1024, sizeBytes: 476 },
  ]);
  expect(operations[2]).toMatchObject({ extents: [{ offset: 1024, sizeBytes: 76 }] });
});

test('an empty image has no operations', () => {
  expect(parseHeader(raw({ target: 0, operations: [] })).operations).toEqual([]);
});

describe('refused', () => {
  const rest = [full(1)];
  const cases: Record<string, readonly [Uint8Array, RegExp]> = {
    'another magic': [raw({ magic: [...MAGIC.slice(0, 7), 2], operations: [zero(2)] }), /another version/],
    'nothing at all': [new Uint8Array(), /ends at byte 0/],
    'a block of 8 KiB': [raw({ log2: 13, operations: [zero(1)] }), /block size/],
    'a target larger than any': [raw({ target: LIMITS.imageBytes + 1, operations: [] }), /target size/],
    'a source larger than any': [raw({ source: 2 ** 50, operations: [zero(2)] }), /source size/],
    'too many operations': [raw({ count: LIMITS.operations + 1, operations: [] }), /number of operations/],
    'fewer operations than said': [raw({ count: 3, operations: [zero(1), zero(1)] }), /ends at byte/],
    'bytes behind the last': [raw({ operations: [zero(2)], tail: [0] }), /1 bytes follow/],
    'a gap at the end': [raw({ operations: [zero(1)] }), /whole target/],
    'more than the target': [raw({ operations: [zero(1), zero(2)] }), /outside the target/],
    'an operation of nothing': [raw({ operations: [zero(0), zero(2)] }), /empty/],
    'a copy from before the source': [raw({ operations: [copy(1, -1), ...rest] }), /outside the source/],
    'a copy from behind it': [raw({ operations: [copy(1, 2), ...rest] }), /outside the source/],
    'a copy that runs out of it': [raw({ operations: [copy(2, 1)] }), /outside the source/],
    'a copy of its short last block': [raw({ source: 5000, operations: [copy(2, 0)] }), /behind the end/],
    'a copy without a source': [raw({ source: 0, operations: [copy(1, 0), ...rest] }), /outside the source/],
    'a place beyond all numbers': [
      raw({ operations: [copy(1, LIMITS.imageBytes + 1), ...rest] }),
      /place in the source/,
    ],
    'a result of more than 2 MiB': [
      raw({ target: 513 * 4096, operations: [full(513)] }),
      /makes 2101248 bytes/,
    ],
    'a patch of more than 2 MiB': [
      raw({ target: 513 * 4096, operations: [patch(513, [[0, 1]])] }),
      /makes 2101248 bytes/,
    ],
    'a window of more than 4 MiB': [
      raw({
        source: 2048 * 4096,
        operations: [
          patch(2, [
            [0, 1024],
            [-1024, 1],
          ]),
        ],
      }),
      /old bytes/,
    ],
    'too many extents': [
      raw({
        operations: [
          patch(
            2,
            Array.from({ length: 17 }, () => [-1, 1] as const),
          ),
        ],
      }),
      /number of extents/,
    ],
    'an empty extent': [raw({ operations: [patch(2, [[0, 0]])] }), /empty/],
    'an extent outside the source': [raw({ operations: [patch(2, [[1, 2]])] }), /outside the source/],
    'a bomb': [raw({ operations: [patch(2, [[0, 1]], LIMITS.patchBytes + 1)] }), /size of a patch/],
    'an endless blob': [raw({ operations: [full(2, LIMITS.storedBytes + 1)] }), /size of a blob/],
    'an empty blob': [raw({ operations: [full(2, 0)] }), /blob is empty/],
    'a cut digest': [raw({ operations: [full(2).slice(0, -1)] }), /ends at byte/],
    'a number that is not in its shortest form': [Uint8Array.from([...MAGIC, 0x8c, 0x00]), /shortest/],
    'a number without an end': [
      Uint8Array.from([...MAGIC, 12, ...Array.from({ length: 12 }, () => 0xff)]),
      /too large/,
    ],
    'a header larger than any': [new Uint8Array(LIMITS.headerBytes + 1), /1048577 bytes/],
  };
  test.each(Object.entries(cases))('%s', (_name, [bytes, message]) => {
    expect(() => parseHeader(bytes)).toThrow(message);
  });
  test('what the release says otherwise', () => {
    const bytes = raw({ operations: [zero(1), copy(1, 0)] });
    for (const expected of [{ payloadBytes: bytes.length + 1 }, { targetBytes: 4096 }, { sourceBytes: 0 }])
      expect(() => parseHeader(bytes, expected)).toThrow(/the release says/);
    expect(
      parseHeader(bytes, { payloadBytes: bytes.length, targetBytes: 8192, sourceBytes: 8192 }).operations,
    ).toHaveLength(2);
  });
});

/** Any header that the format allows, of an image of up to 20 blocks. */
const headers = fc
  .record({
    log2: fc.nat(12),
    sourceBlocks: fc.integer({ min: 1, max: 40 }),
    shape: fc.array(
      fc.record({
        kind: fc.constantFrom('zero', 'copy', 'full', 'patch'),
        blocks: fc.integer({ min: 1, max: 20 }),
        from: fc.nat(),
        size: fc.nat(),
        stored: fc.integer({ min: 1, max: LIMITS.storedBytes }),
        content: fc.nat(LIMITS.patchBytes),
      }),
      { maxLength: 12 },
    ),
    short: fc.nat(),
  })
  .map(({ log2, sourceBlocks, shape, short }) => {
    const blockBytes = 2 ** log2;
    const sourceBytes = sourceBlocks * blockBytes;
    let offset = 0;
    const operations = shape.map(({ kind, blocks, from, size, stored, content }): EncodableOperation => {
      const length = Math.min(blocks, sourceBlocks);
      const target = { offset, sizeBytes: length * blockBytes };
      offset += length * blockBytes;
      const blob = {
        storedBytes: stored,
        sha256: DIGEST,
        contentBytes: kind === 'full' ? target.sizeBytes : content,
      };
      const start = from % (sourceBlocks - length + 1);
      if (kind === 'zero') return { kind, target };
      if (kind === 'copy') return { kind, target, sourceOffset: start * blockBytes };
      if (kind === 'full') return { kind, target, blob };
      const extents = [
        { offset: start * blockBytes, sizeBytes: (1 + (size % (sourceBlocks - start))) * blockBytes },
      ];
      return { kind: 'patch', target, extents, blob, resultSha256: DIGEST };
    });
    const last = operations.at(-1);
    const cut = last === undefined || last.kind === 'full' ? 0 : short % blockBytes;
    const cutLast =
      last === undefined
        ? []
        : [{ ...last, target: { ...last.target, sizeBytes: last.target.sizeBytes - cut } }];
    return {
      blockBytes,
      sourceBytes,
      targetBytes: offset - cut,
      operations: [...operations.slice(0, -1), ...cutLast],
    };
  });

test('every header is read as it was written', () => {
  fc.assert(
    fc.property(headers, (header) => {
      const bytes = encodeHeader(header);
      const parsed = parseHeader(bytes);
      expect(parsed).toMatchObject(header);
      expect(encodeHeader(parsed)).toEqual(bytes);
    }),
    { numRuns: 150 },
  );
});

test('a header with any byte changed is refused, or is another that holds together', () => {
  fc.assert(
    fc.property(headers, fc.nat(), fc.integer({ min: 1, max: 255 }), (header, place, change) => {
      const bytes = encodeHeader(header);
      const index = place % bytes.length;
      bytes[index] = (bytes[index] ?? 0) ^ change;
      const parsed = outcome(() => parseHeader(bytes));
      if (parsed === undefined) return;
      let end = 0;
      let blob = bytes.length;
      for (const operation of parsed.operations) {
        expect(operation.target.offset).toBe(end);
        end += operation.target.sizeBytes;
        if (operation.kind === 'copy')
          expect(operation.sourceOffset + operation.target.sizeBytes).toBeLessThanOrEqual(parsed.sourceBytes);
        if (operation.kind === 'patch')
          for (const extent of operation.extents)
            expect(extent.offset + extent.sizeBytes).toBeLessThanOrEqual(parsed.sourceBytes);
        if (operation.kind === 'full' || operation.kind === 'patch') {
          expect(operation.blob.offset).toBe(blob);
          blob += operation.blob.storedBytes;
        }
      }
      expect(end).toBe(parsed.targetBytes);
      expect(blob).toBe(parsed.payloadBytes);
      expect(encodeHeader(parsed)).toEqual(bytes);
    }),
    { numRuns: 200 },
  );
});

test('a header cut anywhere is refused', () => {
  const bytes = raw({ operations: [patch(1, [[0, 2]]), full(1)] });
  for (let length = 0; length < bytes.length; length += 1)
    expect(() => parseHeader(bytes.subarray(0, length))).toThrow(
      expect.objectContaining({ code: 'payload.header' }),
    );
});

/** Any fault but one that says what was wrong is a fault of the parser. */
function outcome<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    expect(error).toMatchObject({ code: 'payload.header' });
    return undefined;
  }
}
