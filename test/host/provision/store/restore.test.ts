/** What lies on the state partition is a stranger's word: nothing of it gets further than the policy lets its source go. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRestore, storeRestore, type Restore } from '../../../../host/provision/store/restore.ts';
import type { AdoptedRecord } from '../../../../host/provision/store/record.ts';
import { readRecord, storeRecord } from '../../../../host/provision/store/adopted.ts';
import { NO_CONFIGURATION } from '../../../../host/provision/status.ts';
import { RIGHTS, type ProvisioningPolicy } from '../../../../spec/provisioning.ts';
import { rootedSystem, type RootedSystem } from '../../../updater/device/rooted-system.ts';

const ALL = RIGHTS;
const KEY = `ssh-ed25519 ${'A'.repeat(68)} a@b`;
const RECORD: AdoptedRecord = {
  format: '1.0',
  source: 'nocloud',
  origin: '/dev/vdb (cidata)',
  instanceId: 'i-1',
  metaData: { publicKeys: [], variables: {} },
  platformFacts: { cloudName: 'nocloud' },
  documents: { userData: 'a'.repeat(64) },
  seed: {},
  complete: true,
};
const USER = { name: 'alice', uid: 2000, groups: ['operators'], shell: '/bin/sh', sshAuthorizedKeys: [KEY] };
const GOOD: Restore = {
  format: '1.0',
  rootHash: 'abc',
  record: RECORD,
  machine: {
    format: '1.0',
    hostname: 'web',
    users: [USER],
    groups: [{ name: 'operators', gid: 900, members: ['alice'] }],
  },
  network: null,
  names: [{ kind: 'hostname', name: 'web', hosts: '127.0.0.1 localhost\n' }],
  files: [],
  status: { ...NO_CONFIGURATION, state: 'applied' },
  due: false,
};

let folder: string;
let system: RootedSystem;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-restore-'));
  const real = rootedSystem(folder);
  // sync is the disk's business.
  system = { ...real, spawn: (_argv, options) => (queueMicrotask(() => options?.onExit?.(0)), 1) };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function kept(change: object): Restore | undefined {
  storeRestore(system, { ...GOOD, ...change });
  return readRestore(system, 'abc', RECORD, ALL);
}

test('what was kept comes back', () => {
  expect(kept({})).toEqual(GOOD);
});

test('another image, or another configuration, plans anew', () => {
  storeRestore(system, GOOD);
  expect(readRestore(system, 'abd', RECORD, ALL)).toBeUndefined();
  expect(readRestore(system, 'abc', { ...RECORD, instanceId: 'i-2' }, ALL)).toBeUndefined();
  expect(readRestore(system, '', RECORD, ALL)).toBeUndefined();
});

test('users and network need their rights', () => {
  storeRestore(system, GOOD);
  expect(
    readRestore(
      system,
      'abc',
      RECORD,
      ALL.filter((right) => right !== 'users'),
    ),
  ).toBeUndefined();
  expect(
    readRestore(
      system,
      'abc',
      RECORD,
      ALL.filter((right) => right !== 'network'),
    ),
  ).toBeUndefined();
});

const user = (change: object): object => ({ machine: { ...GOOD.machine, users: [{ ...USER, ...change }] } });
test.each([
  ['a user with the number of root', user({ uid: 0 })],
  ['a user called root', user({ name: 'root' })],
  ['a line break in a name', user({ name: 'a\nroot' })],
  ['a colon in a shell', user({ shell: '/bin/sh:x' })],
  ['a key with options', user({ sshAuthorizedKeys: [`command="x" ${KEY}`] })],
  ['two keys in one', user({ sshAuthorizedKeys: [`${KEY}\n${KEY}`] })],
  ['a group of the system', { machine: { ...GOOD.machine, groups: [{ name: 'x', gid: 0, members: [] }] } }],
  ['a service', { machine: { ...GOOD.machine, services: [{ name: 'x', bundle: '/var/x' }] } }],
  ['a name of the machine that is none', { names: [{ kind: 'hostname', name: 'a\nb', hosts: null }] }],
  [
    'a file that is a program',
    { files: [{ kind: 'runtime-file', path: '/run/x', content: { text: '' }, mode: 0o755, service: null }] },
  ],
  ['another kind of step', { names: [{ kind: 'script', name: 'web', hosts: null }] }],
  ['no status', { status: null }],
])('%s is not restored', (_what, change) => {
  expect(kept(change)).toBeUndefined();
});

test('a record of a source that the policy does not hear is none', async () => {
  const policy = (sources: ProvisioningPolicy['sources']): ProvisioningPolicy => ({
    format: '1.0',
    sources,
    scripts: 'container',
    platform: 'auto',
  });
  await storeRecord(system, RECORD);
  expect(readRecord(system, policy({ nocloud: [] }))).toEqual(RECORD);
  expect(readRecord(system, policy({ ec2: ['users'] }))).toBeUndefined();
});

test.each([
  ['text', 'x'],
  ['an unknown source', JSON.stringify({ ...RECORD, source: 'stick' })],
  ['a document outside', JSON.stringify({ ...RECORD, documents: { userData: '../../etc/passwd' } })],
  ['a line break', JSON.stringify({ ...RECORD, instanceId: 'a\nb' })],
])('a record that is %s is none', (_what, text) => {
  system.give('/var/lib/slipway/provision/adopted.json', text);
  expect(
    readRecord(system, { format: '1.0', sources: { nocloud: ALL }, scripts: 'container', platform: 'auto' }),
  ).toBeUndefined();
});
