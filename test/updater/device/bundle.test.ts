/** `slip update apply --bundle`: a machine without a network, and a stick that somebody carries there, sooner or later. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { DAY_MS } from '../tuf-repository.ts';
import { publish, testMachine, type Outcome, type TestMachine } from './machine.ts';

const PATH = '/home/ops/bundle.tar';
const folder = mkdtempSync(join(tmpdir(), 'slipway-bundle-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let machine: TestMachine;
beforeEach(async () => {
  machine = await testMachine(folder);
  machine.online = false;
  machine.system.give('/var/lib/slipway/home/ops/keep', '');
  await publish(machine, '1.1.0');
});

/** What the repository is now, without these files. */
async function bundle(...without: readonly RegExp[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, bytes] of machine.repository.files)
    if (!without.some((pattern) => pattern.test(name))) archive.entry({ name }, Buffer.from(bytes));
  archive.finalize();
  return buffer(archive);
}

/** In the home of who copied it there. */
async function give(bytes: Uint8Array): Promise<Outcome> {
  writeFileSync(machine.system.place('/var/lib/slipway/home/ops/bundle.tar'), bytes);
  return machine.update('apply', '--bundle', PATH, '--json');
}

function expectUnchanged(): void {
  expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi']);
  expect([machine.called, machine.restarts]).toEqual([[], 0]);
}

const fault = ({ code, json }: Outcome): unknown => ({ code, ...(json()['error'] as object) });

test('is all it takes', async () => {
  expect((await give(await bundle())).json()).toMatchObject({ outcome: 'switched', version: '1.1.0' });
  expect((await machine.update('apply', '--bundle', '/home/ops/none.tar')).stderr).toContain('there is no');
});

test('carried there months later, it is refused as too old, not as damaged; a new one is taken', async () => {
  const old = await bundle();
  machine.clockMs += 90 * DAY_MS;
  expect(fault(await give(old))).toMatchObject({
    code: 'update.bundle-expired',
    message: "the bundle was signed until 2026-03-08, and this machine's clock says 2026-05-30",
    hint: expect.stringMatching(/^it is not damaged: make a new one .*; if it is the clock/) as string,
  });
  expectUnchanged();
  machine.repository.nowMs = machine.clockMs - 3 * DAY_MS;
  await machine.repository.publish();
  expect((await give(await bundle())).json()).toMatchObject({ outcome: 'switched', version: '1.1.0' });
});

test('a machine whose clock stands still takes it: what the image and offline keys have signed is the time', async () => {
  machine.clockMs = 0;
  expect((await give(await bundle())).json()).toMatchObject({ outcome: 'switched', version: '1.1.0' });
});

test('older than what the machine has seen over its network is told as that', async () => {
  const old = await bundle();
  await publish(machine, '1.2.0');
  machine.online = true;
  await machine.update('check');
  machine.online = false;
  expect(fault(await give(old))).toMatchObject({
    code: 'update.bundle-old',
    hint: expect.stringContaining('make a new one') as string,
  });
  expectUnchanged();
});

test('of which a part is missing is told as that', async () => {
  for (const part of [/snapshot/, /targets/, /^timestamp/])
    expect(fault(await give(await bundle(part)))).toMatchObject({ code: 'update.bundle-incomplete' });
  expect((await give(await bundle(/release_/))).code).toBe(1);
  expectUnchanged();
});

test('that is damaged is told as that, wherever it is', async () => {
  const good = await bundle();
  const bad = (change: (copy: Buffer) => Buffer): Promise<Outcome> => give(change(Buffer.from(good)));
  const flipped = (at: number) => (copy: Buffer) => {
    copy[at] = (copy[at] ?? 0) ^ 1;
    return copy;
  };
  // Cut while it was copied; something else; a header of the archive; a signature.
  expect((await bad((copy) => copy.subarray(0, 3000))).code).toBe(1);
  expect((await bad(() => Buffer.from('no archive'.repeat(100)))).code).toBe(1);
  expect((await bad(flipped(20))).code).toBe(1);
  // Of the timestamp that comes last: files of an archive may come twice, as in one that was added to.
  const signature = good.indexOf('"sig"', good.lastIndexOf('timestamp.json\0')) + 10;
  const hexDigit = (copy: Buffer): Buffer => {
    copy.write(copy.toString('latin1', signature, signature + 1) === '0' ? '1' : '0', signature);
    return copy;
  };
  expect(fault(await bad(hexDigit))).toMatchObject({
    code: 'update.bundle-damaged',
    hint: expect.stringContaining('copy it again') as string,
  });
  expectUnchanged();
  expect((await give(good)).json()).toMatchObject({ outcome: 'switched' });
});

test('of another repository is told as that', async () => {
  const stranger = await testMachine(folder);
  await publish(stranger, '1.1.0');
  const archive = pack();
  for (const [name, bytes] of stranger.repository.files) archive.entry({ name }, Buffer.from(bytes));
  archive.finalize();
  expect(fault(await give(await buffer(archive)))).toMatchObject({
    code: 'update.bundle-damaged',
    hint: expect.stringContaining('not of the repository that this machine follows') as string,
  });
  expectUnchanged();
});
