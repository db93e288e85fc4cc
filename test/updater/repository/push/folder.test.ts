import { mkdir, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { openTarget } from '../../../../updater/repository/push/open.ts';
import { planStages } from '../../../../updater/repository/push/plan.ts';
import { pushRepository, type PushOptions } from '../../../../updater/repository/push/push.ts';
import type { PushTarget } from '../../../../updater/repository/push/target.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { contents, sampleRepository, type Sample } from './sample.ts';

const scratch = scratchDirectory();
const PUSH: PushOptions = {
  ...{ mode: 'push', remove: 'nothing', visibleWithinMs: 2000 },
  patience: { attempts: 3, baseMs: 1 },
};
let sample: Sample;
let first: readonly string[];
let count = 0;

beforeAll(async () => {
  sample = await sampleRepository(scratch);
  first = await sample.release('1.0.0', [100_000, 5, 70_000]);
});

async function newFolder(): Promise<{ readonly folder: string; readonly target: PushTarget }> {
  const folder = join(scratch, `target ${++count}`);
  return { folder, target: await openTarget(folder, { environment: {} }) };
}

test('what a publisher has arrives, and nothing else; the second time nothing is sent', async () => {
  const { folder, target } = await newFolder();
  const plan = await pushRepository(sample.directory, target, { ...PUSH, mode: 'plan' });
  await expect(readdir(folder)).rejects.toThrow('ENOENT');
  const pushed = await pushRepository(sample.directory, target, PUSH);
  expect(pushed).toEqual(plan);
  expect(pushed.timestamp.changed).toBe(true);
  expect(pushed.uploaded.map(({ name }) => name)).toEqual(expect.arrayContaining([...first]));
  expect(await contents(folder)).toEqual(await contents(sample.directory));
  const again = await pushRepository(sample.directory, target, PUSH);
  expect(again).toMatchObject({ uploaded: [], timestamp: { changed: false } });
});

test('failure of any upload: the timestamp stays, and a client has all of the old state; the next push goes on', async () => {
  const { folder, target } = await newFolder();
  const own = await sampleRepository(join(scratch, 'cut'));
  await own.release('1.0.0', [1000]);
  await pushRepository(own.directory, target, PUSH);
  const before = await contents(folder);
  await own.release('1.1.0', [1000, 2000]);
  const plan = await pushRepository(own.directory, target, { ...PUSH, mode: 'plan' });
  expect(plan.uploaded.length).toBeGreaterThanOrEqual(5);
  const order: string[] = [];
  // Each run gets one file further than the one before.
  for (let left = plan.uploaded.length; left > 1; left--) {
    let allowed = 1;
    const cut: PushTarget = {
      ...target,
      upload: async (files, done) => {
        if (allowed-- <= 0) throw new Error('connection lost');
        order.push(...files.map(({ name }) => name));
        await target.upload(files, done);
      },
    };
    const failed = pushRepository(own.directory, cut, {
      ...{ ...PUSH, parallel: 1 },
      patience: { attempts: 1, baseMs: 1 },
    });
    await expect(failed).rejects.toMatchObject({ code: 'push.failed', hint: expect.stringMatching('again') });
    const now = await contents(folder);
    for (const [name, bytes] of before) expect(now.get(name), name).toEqual(bytes);
  }
  const last = await pushRepository(own.directory, target, PUSH);
  order.push(...last.uploaded.map(({ name }) => name));
  expect(order.map(kindOf)).toEqual([...['payload', 'payload', 'manifest', 'targets', 'snapshot']]);
  expect(new Set(order).size).toBe(order.length);
  expect(await contents(folder)).toEqual(await contents(own.directory));
}, 20_000);

function kindOf(name: string): string {
  return (
    /payload|targets|rollout|snapshot|root/.exec(name.replace(/release_.*/, 'manifest'))?.[0] ?? 'manifest'
  );
}

test('roots come after everything else, one by one, older ones first', () => {
  const names = [
    '10.root.json',
    '2.root.json',
    '3.snapshot.json',
    `${'a'.repeat(64)}.payload`,
    '4.targets.json',
  ];
  const files = names.map((name) => ({ name, path: name, sizeBytes: 1 }));
  const planned = planStages(files, new Map([['4.targets.json', 1]])).flatMap((stage) => stage.files);
  expect(planned.map(({ name }) => name)).toEqual([
    ...[`${'a'.repeat(64)}.payload`, '3.snapshot.json', '2.root.json', '10.root.json'],
  ]);
});

test('a file that is there but not whole is sent again', async () => {
  const { folder, target } = await newFolder();
  await mkdir(folder);
  await writeFile(join(folder, first[0] ?? ''), 'half');
  await pushRepository(sample.directory, target, PUSH);
  expect(await contents(folder)).toEqual(await contents(sample.directory));
});

test('another repository there, or a newer state, is not overwritten', async () => {
  const { target } = await newFolder();
  const old = await sampleRepository(join(scratch, 'older'));
  await pushRepository(old.directory, target, PUSH);
  await expect(pushRepository(sample.directory, target, PUSH)).rejects.toMatchObject({
    code: 'push.other-repository',
  });
  const before = await readFile(join(old.directory, 'timestamp.json'));
  await old.touch();
  await pushRepository(old.directory, target, PUSH);
  await writeFile(join(old.directory, 'timestamp.json'), before);
  await expect(pushRepository(old.directory, target, PUSH)).rejects.toMatchObject({ code: 'push.newer' });
});

test('--delete takes what is gone here, but not in the push that brings other releases', async () => {
  const { folder, target } = await newFolder();
  const own = await sampleRepository(join(scratch, 'delete'));
  const [payload = ''] = await own.release('1.0.0', [1000]);
  await pushRepository(own.directory, target, PUSH);
  await writeFile(join(folder, 'index.html'), 'not ours');
  await own.release('1.1.0', [1000]);
  await rm(join(own.directory, payload));
  const collecting: PushOptions = { ...PUSH, remove: 'collected' };
  expect(await pushRepository(own.directory, target, collecting)).toMatchObject({
    removed: [],
    waiting: [payload],
  });
  expect((await contents(folder)).has(payload)).toBe(true);
  expect(await pushRepository(own.directory, target, collecting)).toMatchObject({ removed: [payload] });
  const left = await contents(folder);
  const ours = new Map([...left].filter(([name]) => name !== 'index.html'));
  expect(ours).toEqual(await contents(own.directory));
  expect(await readFile(join(folder, 'index.html'), 'utf8')).toBe('not ours');
});

test('what a push left that was cut off a day ago is swept away; what is not ours stays', async () => {
  const { folder, target } = await newFolder();
  await mkdir(folder);
  const names = [
    `${'a'.repeat(64)}.payload.123.0123456789ab.tmp`,
    'thesis.tmp',
    '1.root.json.1.0123456789ab.tmp',
  ];
  for (const name of names) await writeFile(join(folder, name), '');
  for (const name of names.slice(0, 2)) await utimes(join(folder, name), 1e9, 1e9);
  await pushRepository(sample.directory, target, PUSH);
  expect((await readdir(folder)).filter((name) => name.endsWith('.tmp')).sort()).toEqual(
    names.slice(1).sort(),
  );
});

test('no repository, half of one, and no target are told', async () => {
  const { target } = await newFolder();
  const empty = join(scratch, 'empty');
  await mkdir(empty);
  await expect(pushRepository(empty, target, PUSH)).rejects.toMatchObject({ code: 'push.no-repository' });
  const half = await sampleRepository(join(scratch, 'half'));
  await rm(join(half.directory, '1.targets.json'));
  await expect(pushRepository(half.directory, target, PUSH)).rejects.toMatchObject({
    ...{ code: 'push.incomplete', message: expect.stringContaining('1.targets.json') },
  });
  for (const text of [
    'ftp://x/y',
    'sftp://-oProxyCommand=x/y',
    'sftp://host',
    'sftp://u:secret@h/p',
    'sftp://h/a%0arm',
  ])
    await expect(openTarget(text, { environment: {} }), text).rejects.toMatchObject({
      code: 'usage.push-target',
    });
});
