/** What the script writes, written here into a file that is full of what an old system left. */
import { createHash } from 'node:crypto';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CHUNK_BYTES, openSparseDisk } from '../../../builder/export/sparse-disk.ts';
import { readTable } from '../../../builder/export/grown-disk.ts';
import { inspectArtifact } from '../../../builder/inspect/inspect.ts';
import { run } from '../../../builder/process/run.ts';
import { writePayload } from '../../../builder/takeover/payload.ts';
import { withSeededState } from '../../../builder/takeover/seeded-state.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { EPOCH, extractPartition, makeTestDisk } from '../test-disk.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const { disk: image } = await makeTestDisk(join(directory, 'image'));
const disk = await openSparseDisk(image, toolbox);
const table = await readTable(disk);
const payload = join(directory, 'payload.zst');
const target = join(directory, 'target');

test('a disk that held something else holds the image, and what the first boot is told', async () => {
  const seed = { 'user-data': '#cloud-config\nhostname: far-away\n', 'meta-data': 'instance-id: i-1\n' };
  const regions = await withSeededState(disk, table, { toolbox, epoch: EPOCH, seed }, (seeded) =>
    writePayload(seeded, table, payload, toolbox),
  );
  const places = regions
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
  expect(places.at(-1)?.slice(0, 2)).toEqual(['0', '1']);

  await writeFile(target, '');
  await truncate(target, disk.sizeBytes);
  const file = await open(target, 'r+');
  const old = Buffer.alloc(8 * 1024 * 1024, 0xa5);
  for (const { offsetBytes, sizeBytes } of table.partitions)
    for (let at = offsetBytes; at < offsetBytes + Math.min(sizeBytes, 1 << 26); at += old.length)
      await file.write(old, 0, old.length, at);
  const { stdout } = await run([...toolbox.command('zstd'), '-dcq', payload]);
  let read = 0;
  for (const [first, count, sha256] of places) {
    const bytes = stdout.subarray(read, read + Number(count) * CHUNK_BYTES);
    read += bytes.length;
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    await file.write(bytes, 0, bytes.length, Number(first) * CHUNK_BYTES);
  }
  expect(read).toBe(stdout.length);
  await file.close();

  const report = await inspectArtifact(target, { check: 'contents' });
  expect(report).toMatchObject({ kind: 'disk', problems: [] });
  expect(report).toMatchObject({
    slots: [
      { name: 'a', state: 'filled' },
      { name: 'b', state: 'empty' },
    ],
  });
  await run([...toolbox.command('fsck.vfat'), '-n', await extractPartition(target, 'esp')]);
  const state = await extractPartition(target, 'slipway-state');
  await run([...toolbox.command('e2fsck'), '-f', '-n', state]);
  const debugfs = async (command: string): Promise<string> =>
    (await run([...toolbox.command('debugfs'), '-R', command, state])).stdout.toString('utf8');
  expect(await debugfs('cat /lib/slipway/seed/nocloud/user-data')).toBe(seed['user-data']);
  expect(await debugfs('stat /lib/slipway/seed/nocloud/user-data')).toMatch(
    /Mode: +0600[^]*User: +0 +Group: +0/,
  );
  expect(await debugfs('stat /lib/slipway/seed/nocloud')).toMatch(/Mode: +0700[^]*User: +0 +Group: +0/);
});

test('without a configuration state is the image’s own', async () => {
  await writePayload(disk, table, join(directory, 'plain.zst'), toolbox);
  const [seeded, plain] = await Promise.all([readFile(payload), readFile(join(directory, 'plain.zst'))]);
  expect(plain.length).toBeLessThan(seeded.length);
});
