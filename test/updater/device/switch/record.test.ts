/** The update record: two copies in one file, and nothing in it believed. */
import { expect, test } from 'vitest';
import {
  COPY_BYTES,
  decodeRecord,
  encodeCopy,
  RECORD_BYTES,
} from '../../../../updater/device/switch/record.ts';
import {
  EMPTY_RECORD,
  findFailed,
  RECORD_LIMITS,
  withFailed,
  type UpdateRecord,
} from '../../../../updater/device/switch/record-content.ts';
import { parseRecord } from '../../../../updater/device/switch/record-parser.ts';
import { changeRecord, loadRecord } from '../../../../updater/device/switch/record-store.ts';
import { manifestOf, memoryDisk, rootHashOf, sha256 } from './memory-disk.ts';

const id = (version: string): { version: string; rootHash: string } => ({
  version,
  rootHash: rootHashOf(version),
});
const { signer } = manifestOf('1.0.0').uki;

const full: UpdateRecord = {
  attempt: {
    ...id('1.2.0'),
    slot: 'b',
    stage: 'writing',
    uki: { sha256: sha256('uki'), sizeBytes: 14_000_000 },
    checkpoint: { payload: sha256('payload'), operations: 17 },
    startedAt: 1_800_000_000,
  },
  trial: {
    ...id('1.1.0'),
    slot: 'b',
    previous: { ...id('1.0.0'), slot: 'a' },
    switchedAt: 1_800_000_000,
    network: { interfaces: [{ name: 'enp0s2', ipv4: true, ipv6: false, gateway: true }] },
    stateVersion: 1,
    signer,
    pending: [{ kind: 'loader', sha256: sha256('loader'), version: '262.1' }],
  },
  committed: { ...id('1.0.0'), at: 1_700_000_000, signer: null },
  older: { ...id('0.9.0'), stateVersion: 1, signer },
  stateVersion: 1,
  failed: [{ ...id('0.9.5'), reason: 'gate web', logs: ['a', 'b'], at: 1, restarts: 1, returned: true }],
  pending: [{ kind: 'variable', variable: 'dbx', sha256: sha256('dbx') }],
};

test('what is written is read, from whichever copy is newer', async () => {
  const disk = memoryDisk();
  for (let round = 0; round < 5; round++) {
    const wanted = { ...full, stateVersion: round };
    await changeRecord(disk, () => wanted);
    expect(await loadRecord(disk)).toEqual(wanted);
  }
  expect(disk.record?.length).toBe(RECORD_BYTES);
});

test('a write that was cut leaves the record of before, wherever it was cut', async () => {
  const disk = memoryDisk();
  await changeRecord(disk, () => full);
  const before = disk.record!.slice();
  await changeRecord(disk, (record) => ({ ...record, stateVersion: 9 }));
  const after = disk.record!.slice();
  for (let sector = 0; sector < RECORD_BYTES / 512; sector++) {
    const torn = before.slice();
    torn.set(after.subarray(sector * 512, (sector + 1) * 512), sector * 512);
    expect([0, 1, 9]).toContain(decodeRecord(torn).record.stateVersion);
  }
  const partly = before.slice();
  partly.set(after.subarray(0, 512), 0);
  partly.set(after.subarray(COPY_BYTES, COPY_BYTES + 512), COPY_BYTES);
  expect([full, { ...full, stateVersion: 9 }]).toContainEqual(decodeRecord(partly).record);
});

test('the same record is not written again', async () => {
  const disk = memoryDisk();
  await changeRecord(disk, () => full);
  disk.calls.length = 0;
  await changeRecord(disk, (record) => ({ ...record }));
  expect(disk.calls).toEqual([]);
});

test('no file, an empty one, noise: an empty record, and a new file', async () => {
  for (const file of [
    undefined,
    new Uint8Array(0),
    new Uint8Array(RECORD_BYTES),
    new Uint8Array(RECORD_BYTES).fill(0x53),
  ]) {
    const disk = memoryDisk();
    disk.record = file;
    expect(await loadRecord(disk)).toEqual(EMPTY_RECORD);
    await changeRecord(disk, () => full);
    expect(await loadRecord(disk)).toEqual(full);
  }
});

test('failure 14: with no free byte on the state partition it is written all the same', async () => {
  const disk = memoryDisk();
  await changeRecord(disk, () => full);
  disk.stateFull = true;
  await changeRecord(disk, (record) => withFailed(record, { ...full.failed[0]!, ...id('1.1.0') }));
  expect(findFailed(await loadRecord(disk), id('1.1.0'))).toBeDefined();
});

test('hostile fields make it no record', () => {
  const text = (change: object): string => JSON.stringify({ format: '1.0', ...full, ...change });
  expect(parseRecord(text({}))).toEqual(full);
  expect(parseRecord(text({ later: 'addition', format: '1.7' }))).toEqual(full);
  const hostile: object[] = [
    { format: '2.0' },
    { attempt: { ...full.attempt, slot: 'c' } },
    { attempt: { ...full.attempt, version: '../../etc' } },
    { attempt: { ...full.attempt, uki: { sha256: 'x', sizeBytes: 1 } } },
    { attempt: { ...full.attempt, uki: { sha256: sha256('x'), sizeBytes: -1 } } },
    {
      trial: {
        ...full.trial,
        network: { interfaces: [{ name: '../../sys', ipv4: true, ipv6: true, gateway: true }] },
      },
    },
    {
      trial: {
        ...full.trial,
        network: { interfaces: [{ name: '-s', ipv4: true, ipv6: true, gateway: true }] },
      },
    },
    { trial: [] },
    { failed: Array.from({ length: 17 }, () => full.failed[0]) },
    { failed: [{ ...full.failed[0], reason: '\u001b[2J' }] },
    { failed: 'x' },
    { pending: [{ kind: 'run', sha256: sha256('x') }] },
    { pending: [{ kind: 'variable', variable: 'PK', sha256: sha256('x') }] },
    { stateVersion: 1.5 },
  ];
  for (const change of hostile) expect(parseRecord(text(change)), JSON.stringify(change)).toBeUndefined();
  expect(parseRecord('[]')).toBeUndefined();
  expect(parseRecord('{')).toBeUndefined();
});

test('whatever failed, however long its words, the record fits its copy', () => {
  let record: UpdateRecord = {
    ...full,
    trial: {
      ...full.trial!,
      network: {
        interfaces: Array.from(
          { length: RECORD_LIMITS.interfaces },
          () => full.trial!.network.interfaces[0]!,
        ),
      },
      pending: Array.from({ length: RECORD_LIMITS.pending }, () => full.trial!.pending[0]!),
    },
    pending: Array.from({ length: RECORD_LIMITS.pending }, () => full.pending[0]!),
  };
  for (let number = 0; number < 40; number++)
    record = withFailed(record, {
      ...id(`1.${number}.0`),
      reason: '"\\\n\u0000é'.repeat(500),
      logs: Array.from({ length: 50 }, () => '\u001b"\\'.repeat(500)),
      at: 1_800_000_000,
      restarts: 1,
      returned: false,
    });
  const bytes = encodeCopy(record, 1);
  expect(bytes.length).toBeLessThanOrEqual(COPY_BYTES);
  const file = new Uint8Array(RECORD_BYTES);
  file.set(bytes);
  expect(decodeRecord(file).record).toEqual(record);
  expect(record.failed.map(({ version }) => version).at(-1)).toBe('1.39.0');
});
