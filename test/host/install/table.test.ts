import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { diskTable } from '../../../builder/disk/disk.ts';
import { decodeGpt, GPT_HEAD_BYTES } from '../../../builder/gpt/table.ts';
import { LEAST_DISK_BYTES, newTable } from '../../../host/install/table.ts';
import { adaptTable } from '../../../host/partition/table.ts';

const random = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));

test.each([
  ['amd64', 512, LEAST_DISK_BYTES],
  ['amd64', 512, 64e9 + 512],
  ['arm64', 4096, 3_000_592_982_016],
] as const)(
  '%s, sectors of %d, a disk of %d bytes: layout 1, state to the end',
  (architecture, sectorBytes, bytes) => {
    const sizeBytes = Math.floor(bytes / sectorBytes) * sectorBytes;
    const made = newTable(architecture, { sizeBytes, sectorBytes }, random);
    const padded = new Uint8Array(GPT_HEAD_BYTES);
    padded.set(made.primary.bytes);
    const table = decodeGpt(padded, sizeBytes);
    const built = diskTable(architecture, 'x', sectorBytes, 64 * 1024 * 1024);
    expect(table?.sectorSize).toBe(sectorBytes);
    expect(
      table?.partitions.map(({ name, typeGuid, offsetBytes }) => ({ name, typeGuid, offsetBytes })),
    ).toEqual(built.partitions.map(({ name, typeGuid, offsetBytes }) => ({ name, typeGuid, offsetBytes })));
    const sizes = (all: typeof built.partitions): number[] => all.slice(0, -1).map((each) => each.sizeBytes);
    expect(sizes(table?.partitions ?? [])).toEqual(sizes(built.partitions));
    const state = table?.partitions.at(-1);
    const end = (state?.offsetBytes ?? 0) + (state?.sizeBytes ?? 0);
    expect(sizeBytes - end).toBeLessThan(9 * 1024 * 1024);
    expect(made.backup.offset + made.backup.bytes.length).toBe(sizeBytes);
    // Every GUID is a random one, so that no start adapts the table once more.
    const guids = [table?.diskGuid, ...(table?.partitions.map(({ guid }) => guid) ?? [])];
    expect(new Set(guids).size).toBe(8);
    for (const guid of guids) expect(guid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]/);

    // The machine's own program takes either copy, and changes nothing.
    const nothing = new Uint8Array(made.primary.bytes.length);
    for (const head of [made.primary.bytes, nothing]) {
      const adapted = adaptTable({ diskBytes: sizeBytes, sectorBytes, head, tail: made.backup.bytes });
      if (!adapted.ok) throw new Error(adapted.problem);
      expect(Buffer.compare(adapted.tail, made.backup.bytes)).toBe(0);
      expect(Buffer.compare(adapted.head.subarray(512), made.primary.bytes.subarray(512))).toBe(0);
    }
  },
);
