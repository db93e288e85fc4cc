/** Found by the exploration of power cuts: a machine that runs from a file without a name of ours. */
import { expect, test } from 'vitest';
import { reconcile } from '../../../../updater/device/switch/reconcile.ts';
import { changeRecord } from '../../../../updater/device/switch/record-store.ts';
import { machineOn, rootHashOf, runningVersion, ukiOf, type MemoryDisk } from './memory-disk.ts';

const FACTS = { running: runningVersion('1.1.0', 'b'), nowSeconds: 1, fallbackFrom: undefined };

/** The long name went, the short one stayed, and the new name is there without content. */
function torn(newName: string): MemoryDisk {
  const disk = machineOn('1.0.0');
  disk.files.set('EFI/Linux/MINIMA~3.EFI', Buffer.from(ukiOf('1.1.0')));
  disk.files.set(`EFI/Linux/${newName}`, Buffer.of());
  return disk;
}

test('the UKI that runs gets its name again', async () => {
  const disk = torn('minimal_1.1.0.efi');
  await reconcile(disk, FACTS);
  expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0.efi']);
  expect(Buffer.from(disk.files.get('EFI/Linux/minimal_1.1.0.efi') ?? []).toString()).toBe(ukiOf('1.1.0'));
});

test('a version that was being given up stays given up', async () => {
  const disk = torn('minimal_1.1.0+0.efi');
  const id = { version: '1.1.0', rootHash: rootHashOf('1.1.0') };
  await changeRecord(disk, (record) => ({
    ...record,
    failed: [{ ...id, reason: 'by hand', logs: [], at: 1, restarts: 1, returned: false }],
  }));
  await reconcile(disk, FACTS);
  expect(disk.names().filter((name) => name.includes('1.1.0'))).toEqual(['minimal_1.1.0+0-1.efi']);
});

test.each([
  ['two files could be it', { 'EFI/Linux/MINIMA~1.EFI': 'another' }],
  ['it has its name', { 'EFI/Linux/minimal_1.1.0.efi': ukiOf('1.1.0') }],
])('%s: nothing gets a name', async (_, files) => {
  const disk = torn('minimal_1.1.0+0.efi');
  for (const [path, text] of Object.entries(files)) disk.files.set(path, Buffer.from(text));
  await reconcile(disk, FACTS);
  expect(disk.calls.filter((call) => call.startsWith('[heal.'))).toEqual([]);
});

test('somebody else’s file with a short name is left alone', async () => {
  const disk = machineOn('1.0.0');
  disk.files.set('EFI/Linux/SOMEBO~1.EFI', Buffer.from('theirs'));
  await reconcile(disk, FACTS);
  expect(disk.names()).toContain('SOMEBO~1.EFI');
});

test('both names of a version on trial, and a start that was not counted: it is not taken for a good one', async () => {
  const disk = machineOn('1.0.0');
  for (const name of ['minimal_1.1.0+3.efi', 'minimal_1.1.0+2-1.efi'])
    disk.files.set(`EFI/Linux/${name}`, Buffer.from(ukiOf('1.1.0')));
  const id = { version: '1.1.0', rootHash: rootHashOf('1.1.0') };
  const before = { version: '1.0.0', rootHash: rootHashOf('1.0.0') };
  await changeRecord(disk, (record) => ({
    ...record,
    committed: { ...before, at: 1, signer: null },
    trial: {
      ...id,
      slot: 'b',
      previous: { ...before, slot: 'a' },
      switchedAt: 1,
      network: { interfaces: [] },
      stateVersion: 1,
      signer: { leaf: 'aa'.repeat(32), leafTbs: 'bb'.repeat(32), issuer: 'cc'.repeat(32) },
      pending: [],
    },
  }));
  await reconcile(disk, FACTS);
  expect(disk.remembered()).toMatchObject({ committed: before, trial: id });
  // One name is left: the next start is counted.
  expect(disk.names().filter((name) => name.includes('1.1.0'))).toHaveLength(1);
});
