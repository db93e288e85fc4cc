/** Payloads of two images, made with the zstd of this machine, applied, compared; and with every byte of them that could be wrong. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../../../builder/process/run.ts';
import { parseHeader } from '../../../../updater/payload/header.ts';
import type { Operation } from '../../../../updater/payload/operation.ts';
import type { PayloadReference } from '../../../../updater/release/document.ts';
import { applyPayload, verifyPayload } from '../../../../updater/repository/delta/apply.ts';
import { makeDelta } from '../../../../updater/repository/delta/delta.ts';
import { makeFull } from '../../../../updater/repository/delta/full.ts';

const toolbox = { command: (program: string): string[] => [program] };
let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-delta-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

let names = 0;
async function file(content: Uint8Array): Promise<string> {
  const path = join(directory, String((names += 1)));
  await writeFile(path, content);
  return path;
}

interface Made {
  readonly reference: PayloadReference;
  readonly payload: string;
  readonly old: string;
  readonly next: string;
  readonly operations: readonly Operation[];
}

async function delta(before: Uint8Array, after: Uint8Array, blockBytes: 512 | 4096 = 4096): Promise<Made> {
  const [old, next] = [await file(before), await file(after)];
  const payload = join(directory, `${(names += 1)}.payload`);
  const reference = await makeDelta({ old, new: next, output: payload, toolbox, blockBytes });
  if (reference === undefined) throw new Error('no delta was made');
  await verifyPayload({ payload, reference, old, expected: next, toolbox });
  const bytes = await readFile(payload);
  expect(bytes.length).toBe(reference.sizeBytes);
  expect(sha256(bytes)).toBe(reference.sha256);
  expect(sha256(bytes.subarray(0, reference.headerBytes))).toBe(reference.headerSha256);
  const { operations } = parseHeader(bytes.subarray(0, reference.headerBytes));
  return { reference, payload, old, next, operations };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const kinds = (made: Made): string => made.operations.map(({ kind }) => kind).join(' ');
const BLOCK = 4096;

describe('the images', () => {
  test('are the same: one copy, and a header', async () => {
    const image = randomBytes(100 * BLOCK);
    const made = await delta(image, image);
    expect(kinds(made)).toBe('copy');
    expect(made.reference.sizeBytes).toBe(made.reference.headerBytes);
    expect(made.reference.sizeBytes).toBeLessThan(24);
  });
  test('share nothing: the whole bytes', async () => {
    const made = await delta(randomBytes(600 * BLOCK), randomBytes(600 * BLOCK));
    expect(kinds(made)).toBe('full full');
  });
  test('are empty, or one of them is', async () => {
    expect(kinds(await delta(Buffer.alloc(0), Buffer.alloc(0)))).toBe('');
    expect(kinds(await delta(randomBytes(BLOCK), Buffer.alloc(0)))).toBe('');
    expect(kinds(await delta(Buffer.alloc(0), randomBytes(3 * BLOCK)))).toBe('full');
  });
  test('are one block', async () => {
    const image = randomBytes(BLOCK);
    const changed = Buffer.from(image);
    changed[77] = (changed[77] ?? 0) ^ 1;
    const made = await delta(image, changed);
    expect(kinds(made)).toBe('patch');
    expect(made.reference.sizeBytes).toBeLessThan(160);
  });
  test('are no whole blocks, as a UKI is', async () => {
    const image = randomBytes(40_000);
    const changed = Buffer.concat([
      image.subarray(0, 10_000),
      Buffer.from('new'),
      image.subarray(10_000),
      Buffer.alloc(700),
    ]);
    const made = await delta(image, changed, 512);
    expect(kinds(made)).toBe('copy patch zero');
    expect(made.reference.sizeBytes).toBeLessThan(250);
    await delta(changed, image, 512);
    await delta(image, changed.subarray(0, 39_999), 512);
  });
  test('hold zeros', async () => {
    const made = await delta(
      randomBytes(BLOCK),
      Buffer.concat([Buffer.alloc(100 * BLOCK), randomBytes(BLOCK), Buffer.alloc(BLOCK)]),
    );
    expect(kinds(made)).toBe('zero full zero');
  });
  test('hold the same in another order: what moved is found where it was', async () => {
    const [a, b, c] = [
      randomBytes(100 * BLOCK),
      randomBytes(120 * BLOCK + 100),
      randomBytes(50 * BLOCK - 100),
    ];
    const made = await delta(
      Buffer.concat([a, b, c]),
      Buffer.concat([b, Buffer.from('!'), c, Buffer.alloc(BLOCK - 1), a]),
    );
    expect(made.reference.sizeBytes).toBeLessThan(10_000);
  });
});

test('random images made of parts of each other', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.constantFrom('same', 'moved', 'zero', 'new', 'touched'),
          fc.integer({ min: 1, max: 30_000 }),
          fc.nat(200_000),
        ),
        { maxLength: 8 },
      ),
      fc.constantFrom(512 as const, 4096 as const),
      async (parts, blockBytes) => {
        const old = randomBytes(200_000);
        let place = 0;
        const next = parts.map(([kind, size, from]) => {
          const start = kind === 'moved' ? from : place;
          place += size;
          if (kind === 'zero') return Buffer.alloc(size);
          if (kind === 'new') return randomBytes(size);
          const bytes = Buffer.from(old.subarray(start, start + size));
          if (kind === 'touched')
            for (let at = 0; at < bytes.length; at += 50) bytes[at] = (bytes[at] ?? 0) + 3;
          return bytes;
        });
        await delta(old, Buffer.concat(next), blockBytes);
      },
    ),
    { numRuns: 8 },
  );
});

test('the same images make the same bytes', async () => {
  const [old, next] = [randomBytes(90 * BLOCK), randomBytes(90 * BLOCK)];
  old.copy(next, 5000, 3000, 200_000);
  expect((await delta(old, next)).reference).toEqual((await delta(old, next)).reference);
});

test('what is not smaller than the full payload is not made', async () => {
  const [old, next] = [await file(randomBytes(50 * BLOCK)), await file(randomBytes(50 * BLOCK))];
  const output = join(directory, 'none.payload');
  expect(
    await makeDelta({ old, new: next, output, toolbox, blockBytes: 4096, smallerThan: 50 * BLOCK }),
  ).toBeUndefined();
  expect(existsSync(output)).toBe(false);
});

test('another client, written from docs/payload-format.md in Python, makes the same of it', async () => {
  const old = randomBytes(300_032);
  const changed = Buffer.from(old);
  for (let at = 100_000; at < 120_000; at += 64) changed[at] = (changed[at] ?? 0) + 7;
  const after = Buffer.concat([
    changed.subarray(150_016),
    Buffer.alloc(70_144),
    changed.subarray(0, 149_504),
    old,
    randomBytes(90_001),
  ]);
  const made = await delta(old, after, 512);
  expect(new Set(kinds(made).split(' '))).toEqual(new Set(['copy', 'zero', 'patch', 'full']));
  const output = join(directory, 'by-python');
  await run([
    'python3',
    join(import.meta.dirname, 'apply.py'),
    made.payload,
    String(made.reference.headerBytes),
    output,
    made.old,
  ]);
  expect(sha256(await readFile(output))).toBe(sha256(after));
});

describe('a full payload', () => {
  test.each([0, 1, 4096, 300_000, 3 * 1024 * 1024 + 5])(
    'of %i bytes needs no old image',
    async (sizeBytes) => {
      const content = randomBytes(sizeBytes);
      content.subarray(262_144, 524_288).fill(0);
      const [next, payload, output] = [
        await file(content),
        join(directory, `full-${sizeBytes}`),
        join(directory, `out-${sizeBytes}`),
      ];
      const reference = await makeFull({ new: next, output: payload, toolbox, blockBytes: 512 });
      await verifyPayload({ payload, reference, expected: next, toolbox });
      await applyPayload({ payload, reference, output, toolbox });
      expect(sha256(await readFile(output))).toBe(sha256(content));
    },
  );
});

describe('refused', () => {
  let made: Made;
  beforeAll(async () => {
    const old = randomBytes(100 * BLOCK);
    const next = Buffer.from(old);
    randomBytes(2 * BLOCK).copy(next, 5 * BLOCK);
    for (let at = 60 * BLOCK; at < 65 * BLOCK; at += 100) next[at] = (next[at] ?? 0) + 1;
    made = await delta(old, next);
    expect(kinds(made)).toBe('copy full copy patch copy');
  });
  const attempt = async (payload: Uint8Array, old = made.old, reference = made.reference): Promise<void> => {
    await applyPayload({
      payload: await file(payload),
      reference,
      old,
      output: join(directory, 'refused'),
      toolbox,
    });
  };

  test('with any bit changed', async () => {
    const good = await readFile(made.payload);
    for (const at of [
      0,
      8,
      12,
      made.reference.headerBytes - 1,
      made.reference.headerBytes,
      made.reference.headerBytes + 4,
      good.length - 1,
    ]) {
      const bad = Buffer.from(good);
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      await expect(attempt(bad)).rejects.toThrow(expect.objectContaining({ code: 'payload.verify' }));
    }
    expect(existsSync(join(directory, 'refused'))).toBe(false);
  });
  test('cut, or with more behind it', async () => {
    const good = await readFile(made.payload);
    await expect(attempt(good.subarray(0, -1))).rejects.toThrow('bytes');
    await expect(attempt(Buffer.concat([good, Buffer.alloc(1)]))).rejects.toThrow('bytes');
  });
  test('against another old image', async () => {
    const other = await readFile(made.old);
    other[61 * BLOCK] = (other[61 * BLOCK] ?? 0) ^ 1;
    await expect(attempt(await readFile(made.payload), await file(other))).rejects.toThrow(
      'makes something else',
    );
    await expect(attempt(await readFile(made.payload), await file(other.subarray(1)))).rejects.toThrow(
      'made for an old image',
    );
  });
  test('a blob that is a bomb: more in it than its header says', async () => {
    const good = await readFile(made.payload);
    const header = parseHeader(good.subarray(0, made.reference.headerBytes));
    const full = header.operations.find((operation) => operation.kind === 'full');
    if (full?.kind !== 'full') throw new Error('no full operation');
    // Two frames where one is said to be, both digests made to fit: only the frame's own size tells.
    const bad = Buffer.from(good);
    bad[full.blob.offset + 5] = (bad[full.blob.offset + 5] ?? 0) + 1;
    const digest = Buffer.from(full.blob.sha256, 'hex');
    const at = bad.indexOf(digest);
    createHash('sha256')
      .update(bad.subarray(full.blob.offset, full.blob.offset + full.blob.storedBytes))
      .digest()
      .copy(bad, at);
    const headerSha256 = sha256(bad.subarray(0, made.reference.headerBytes));
    await expect(attempt(bad, made.old, { ...made.reference, headerSha256 })).rejects.toThrow(
      expect.objectContaining({ code: 'payload.frame' }),
    );
  });
});
