/** Two slots as files: one with the old version, one with rubbish; and what they must hold in the end. */
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { SlotFacts } from '../../../../updater/device/apply/facts.ts';
import type { TestRelease } from './release.ts';

export interface Slots {
  readonly directory: string;
  readonly source: SlotFacts;
  readonly target: SlotFacts;
}

const RUBBISH = 0x5a;
const VERITY_BYTES = 1024 * 1024;

export function makeSlots(directory: string, { old, manifest }: TestRelease): Slots {
  const at = mkdtempSync(join(directory, 'slots-'));
  const sizeBytes = manifest.root.sizeBytes + 2 * 1024 * 1024;
  const slot = (name: 'a' | 'b'): SlotFacts => ({
    slot: name,
    dataDevice: join(at, `root-${name}`),
    verityDevice: join(at, `verity-${name}`),
    sizeBytes,
  });
  const source = { ...slot('a'), rootHash: old.info.rootHash };
  const target = slot('b');
  writeFileSync(source.dataDevice, readFileSync(old.root));
  writeFileSync(source.verityDevice, readFileSync(old.verity));
  writeFileSync(target.dataDevice, Buffer.alloc(sizeBytes, RUBBISH));
  writeFileSync(target.verityDevice, Buffer.alloc(statSync(old.verity).size + VERITY_BYTES, RUBBISH));
  return { directory: at, source, target };
}

/** Data and tree are those that veritysetup made; nothing else of the slot was touched, its superblock neither, and nothing of the other one. */
export function expectApplied({ target, source }: Slots, { old, new: next }: TestRelease): void {
  const data = readFileSync(target.dataDevice);
  const root = readFileSync(next.root);
  expect(data.subarray(0, root.length).equals(root)).toBe(true);
  expect(isRubbish(data.subarray(root.length))).toBe(true);
  const tree = readFileSync(target.verityDevice);
  const expected = readFileSync(next.verity);
  expect(isRubbish(tree.subarray(0, 4096))).toBe(true);
  expect(tree.subarray(4096, expected.length).equals(expected.subarray(4096))).toBe(true);
  expect(isRubbish(tree.subarray(expected.length))).toBe(true);
  expect(readFileSync(source.dataDevice).equals(readFileSync(old.root))).toBe(true);
  expect(readFileSync(source.verityDevice).equals(readFileSync(old.verity))).toBe(true);
}

export function isRubbish(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === RUBBISH);
}
