/** `slip update scrub` as a whole: two slots with real trees, UKIs, a repository, alarms. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { readScrubMemory, rememberUki } from '../../../../updater/device/scrub/memory.ts';
import { scrub, type ScrubReport } from '../../../../updater/device/scrub/scrub.ts';
import { scrubWhenDue } from '../../../../updater/device/commands/scrub.ts';
import { makeSuperblock } from '../../../../updater/device/switch/superblock.ts';
import { changeRecord } from '../../../../updater/device/switch/record-store.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { makeRelease } from '../apply/release.ts';
import { makeSlots } from '../apply/slots.ts';
import { publish, testMachine, type TestMachine } from '../machine.ts';
import { sha256, ukiOf } from '../switch/memory-disk.ts';

const directory = scratchDirectory();
const release = await makeRelease(join(directory, 'release'), { blocks: 1000, deltas: 'none' });
const { root } = release.manifest;
const UKI = 'EFI/Linux/minimal_1.0.0.efi';
const OLDER = 'EFI/Linux/minimal_0.9.0.efi';
const COPY = 'EFI/SLIPWAY/UKI.CPY';
const WEEK_S = 7 * 86_400;

let machine: TestMachine;
let slots: { readonly a: { data: string; tree: string }; readonly b: { data: string; tree: string } };
let scratch: string;

/** It runs 1.0.0 in slot a, which is the release's root, and came there from 0.9.0 in slot b. */
beforeEach(async () => {
  machine = await testMachine(directory, { before: '0.9.0' });
  const { directory: at, source, target } = makeSlots(directory, release);
  scratch = join(at, 'scratch');
  slots = {
    a: { data: target.dataDevice, tree: target.verityDevice },
    b: { data: source.dataDevice, tree: source.verityDevice },
  };
  writeFileSync(slots.a.data, readFileSync(release.new.root));
  writeFileSync(slots.a.tree, readFileSync(release.new.verity));
  machine.slots = slots;
  machine.payloads = release.repository;
  machine.running = { ...machine.running, rootHash: root.rootHash };
  await publish(machine, '1.0.0', { manifest: { root } });
  await changeRecord(machine.disk, (record) => ({
    ...record,
    committed: { version: '1.0.0', rootHash: root.rootHash, at: 1, signer: null },
    older: { version: '0.9.0', rootHash: release.old.info.rootHash, stateVersion: 1, signer: null },
  }));
});

function look(): Promise<ScrubReport> {
  return scrub(machine.context(), Infinity, scratch);
}

function rot(path: string, block: number, at = 100): void {
  const bytes = readFileSync(path);
  bytes.fill(0x5a, block * 4096 + at, block * 4096 + at + 100);
  writeFileSync(path, bytes);
}

function rotUki(path: string): void {
  machine.disk.files.set(path, Buffer.from(ukiOf('1.0.0').replace('uki', 'ukj')));
}

test('all is good: both slots and both UKIs were read, a copy of the running one is kept, and nothing is said', async () => {
  const report = await look();
  expect(report).toMatchObject({
    outcome: 'good',
    slots: [
      { slot: 'a', version: '1.0.0', blocks: 1000, rotten: 0 },
      { slot: 'b', version: '0.9.0', blocks: 1000, rotten: 0 },
    ],
    ukis: [
      { version: '1.0.0', state: 'good' },
      { version: '0.9.0', state: 'good' },
    ],
    alarms: [],
  });
  expect(machine.disk.files.get(COPY)).toEqual(machine.disk.files.get(UKI));
  expect((await machine.update('status', '--json')).json()).toMatchObject({
    scrub: { alarms: [], repairs: [] },
  });
});

describe('the root', () => {
  test('a block that the other version has too is repaired without a network', async () => {
    machine.online = false;
    rot(slots.a.data, 900);
    expect(await look()).toMatchObject({ outcome: 'repaired', slots: [{ rotten: 1, repaired: 1 }, {}] });
    expect(readFileSync(slots.a.data).equals(readFileSync(release.new.root))).toBe(true);
    const { stdout } = await machine.update('status');
    expect(stdout).toMatch(
      /repaired +1 rotten block of the root of 1\.0\.0 \(slot a\), found 20.*the disk may be failing/,
    );
  });

  test('and the other way round: the version to return to', async () => {
    machine.online = false;
    rot(slots.b.data, 900);
    expect(await look()).toMatchObject({
      outcome: 'repaired',
      slots: [{ rotten: 0 }, { rotten: 1, repaired: 1 }],
    });
    expect(readFileSync(slots.b.data).equals(readFileSync(release.old.root))).toBe(true);
  });

  test('a block of its own comes from the repository; without one it is an alarm, until it could be repaired', async () => {
    machine.online = false;
    rot(slots.a.data, 610);
    const report = await look();
    expect(report.alarms).toEqual([
      'the root of 1.0.0 (slot a) has 1 rotten block: neither the other slot nor a repository has what is missing',
    ]);
    expect((await machine.update('status')).stdout).toMatch(/ALARM +the root of 1\.0\.0/);
    machine.online = true;
    expect(await look()).toMatchObject({ outcome: 'repaired', alarms: [] });
    expect(readFileSync(slots.a.data).equals(readFileSync(release.new.root))).toBe(true);
    expect((await machine.update('status')).stdout).not.toContain('ALARM');
  });

  test('a slot that is being filled is left alone', async () => {
    rot(slots.b.data, 900);
    await changeRecord(machine.disk, (record) => ({
      ...record,
      attempt: {
        version: '1.1.0',
        rootHash: 'ab'.repeat(32),
        slot: 'b',
        stage: 'writing',
        uki: { sha256: 'cd'.repeat(32), sizeBytes: 1 },
        checkpoint: null,
        startedAt: 1,
      },
    }));
    expect((await look()).slots).toMatchObject([{ slot: 'a' }]);
  });

  test.each([
    ['its name', 16],
    ['its number of blocks', 72],
    ['its salt', 88],
    ['its signature', 0],
  ])('a superblock with rot in %s is written anew', async (_, at) => {
    machine.online = false;
    rot(slots.a.tree, 0, at);
    expect(await look()).toMatchObject({ outcome: 'repaired', slots: [{ rotten: 1, repaired: 1 }, {}] });
    expect(readFileSync(slots.a.tree).subarray(0, 512).equals(makeSuperblock(root))).toBe(true);
    expect(await look()).toMatchObject({ outcome: 'good' });
  });
});

describe('a UKI', () => {
  test('that rots is replaced by its copy, without a network', async () => {
    await look();
    machine.online = false;
    rotUki(UKI);
    expect(await look()).toMatchObject({
      outcome: 'repaired',
      ukis: [{ version: '1.0.0', state: 'repaired' }, {}],
    });
    expect(Buffer.from(machine.disk.files.get(UKI) ?? []).toString()).toBe(ukiOf('1.0.0'));
    expect(machine.disk.names()).toEqual(['minimal_0.9.0.efi', 'minimal_1.0.0.efi']);
  });

  test('whose copy rotted is the measure for it', async () => {
    await look();
    machine.online = false;
    rotUki(COPY);
    expect(await look()).toMatchObject({ outcome: 'good' });
    expect(Buffer.from(machine.disk.files.get(COPY) ?? []).toString()).toBe(ukiOf('1.0.0'));
  });

  test('that has rotted before the first look is told by the repository, and comes from there', async () => {
    rotUki(UKI);
    expect(await look()).toMatchObject({ ukis: [{ version: '1.0.0', state: 'rotten' }, {}] });
    expect(machine.called).toContain('applyUki');
  });

  test('with neither copy nor network stays rotten: an alarm', async () => {
    machine.online = false;
    await rememberUki(machine.system, '1.0.0', sha256(ukiOf('1.0.0')));
    rotUki(UKI);
    const { alarms } = await look();
    expect(alarms).toEqual([
      'the UKI of 1.0.0 is rotten: there is no good copy of it here, and no network to fetch it from',
    ]);
  });

  test('that is gone comes back from the copy, without a network', async () => {
    await look();
    machine.online = false;
    machine.disk.files.delete(UKI);
    expect(await look()).toMatchObject({ outcome: 'repaired', repairs: ['the missing UKI of 1.0.0'] });
    expect(Buffer.from(machine.disk.files.get(UKI) ?? []).toString()).toBe(ukiOf('1.0.0'));
    expect(await look()).toMatchObject({ outcome: 'good', repairs: [] });
  });

  test('that is gone with its copy comes from the repository; without one it is an alarm', async () => {
    machine.disk.files.delete(UKI);
    machine.online = false;
    expect((await look()).alarms).toEqual([
      'the UKI of 1.0.0 is missing: it cannot be read, and nothing says what it was',
    ]);
    expect((await machine.update('status')).stdout).toMatch(/ALARM +the UKI of 1\.0\.0 is missing/);
    machine.online = true;
    await look();
    expect(machine.called).toContain('applyUki');
  });

  test('of the version to return to, that is gone, comes from the repository', async () => {
    const { rootHash } = release.old.info;
    await publish(machine, '0.9.0', { manifest: { root: { ...root, rootHash } } });
    machine.disk.superblocks.b = makeSuperblock({ ...root, rootHash });
    machine.disk.files.delete(OLDER);
    expect(await look()).toMatchObject({ outcome: 'repaired', repairs: ['the missing UKI of 0.9.0'] });
    expect(Buffer.from(machine.disk.files.get(OLDER) ?? []).toString()).toBe(ukiOf('0.9.0'));
  });

  test.each([
    ['was given up', { failed: true, version: '0.9.0' }],
    ['is newer than what runs: it would be what starts next', { failed: false, version: '1.5.0' }],
    ['is not in its slot any more', { failed: false, version: '0.9.0', gone: true }],
  ])('of a version that %s is not brought back', async (_, { failed, version, ...slot }) => {
    const { rootHash } = release.old.info;
    machine.disk.superblocks.b = 'gone' in slot ? new Uint8Array(512) : makeSuperblock({ ...root, rootHash });
    machine.disk.files.delete(OLDER);
    await changeRecord(machine.disk, (record) => ({
      ...record,
      older: { version, rootHash, stateVersion: 1, signer: null },
      failed: failed
        ? [{ version, rootHash, reason: 'by hand', logs: [], at: 1, restarts: 1, returned: true }]
        : [],
    }));
    expect((await look()).ukis).toMatchObject([{ version: '1.0.0' }]);
    expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi']);
  });

  test('cut at each step of its repair, the boot partition holds the right one, an empty one, or the rotten one', async () => {
    await look();
    const { parts, system } = machine.context();
    const known = { '1.0.0': sha256(ukiOf('1.0.0')), '0.9.0': sha256(ukiOf('0.9.0')) };
    const ukis = () => parts.scrubUkis(system, { known, published: () => Promise.resolve(undefined) });
    rotUki(UKI);
    machine.disk.calls.length = 0;
    await ukis();
    const steps = machine.disk.calls.flatMap((call) => /^\[(repair\..*)\]$/.exec(call)?.[1] ?? []);
    expect(steps.length).toBeGreaterThan(10);
    for (const label of steps) {
      rotUki(UKI);
      machine.disk.cutAt = label;
      await expect(ukis()).rejects.toThrow();
      machine.disk.cutAt = undefined;
      const there = Buffer.from(machine.disk.files.get(UKI) ?? []).toString();
      expect([ukiOf('1.0.0'), '', ukiOf('1.0.0').replace('uki', 'ukj')]).toContain(there);
      // An empty one, no boot loader takes: the next start is from the copy, and puts it back.
      expect(await ukis()).not.toContainEqual(expect.objectContaining({ state: 'rotten' }));
      expect(Buffer.from(machine.disk.files.get(UKI) ?? []).toString()).toBe(ukiOf('1.0.0'));
    }
  });
});

describe('by itself', () => {
  const now = (): number => Math.floor(machine.clockMs / 1000);

  test('a first time within a week, and then once a week', async () => {
    const context = machine.context();
    await scrubWhenDue(context);
    const first = readScrubMemory(machine.system)?.at ?? 0;
    expect(first).toBeGreaterThanOrEqual(now() - WEEK_S);
    expect(first).toBeLessThanOrEqual(now());
    expect(machine.called).not.toContain('scrubUkis');
    machine.clockMs = (first + WEEK_S - 1) * 1000;
    await scrubWhenDue(context);
    expect(machine.called).not.toContain('scrubUkis');
  });

  test('what lies on the state partition is not believed', () => {
    for (const text of ['', '{', '{"at":"x"}', '{"at":1,"ukis":{"../x":"y"},"alarms":[3,"a\\u001b[2J"]}']) {
      machine.system.give('/var/lib/slipway/update/scrub.json', text);
      const memory = readScrubMemory(machine.system);
      expect(memory === undefined || Object.keys(memory.ukis).length === 0).toBe(true);
      expect(JSON.stringify(memory?.alarms ?? [])).not.toContain('u001b');
    }
  });
});
