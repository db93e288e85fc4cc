/** Pushing to a real OpenSSH server. */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTarget } from '../../../../updater/repository/push/open.ts';
import { pushRepository, type PushOptions } from '../../../../updater/repository/push/push.ts';
import type { PushTarget } from '../../../../updater/repository/push/target.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { contents, sampleRepository, type Sample } from './sample.ts';
import { startSshd, type Sshd } from './sshd.ts';

const scratch = scratchDirectory();
const notes: string[] = [];
const PUSH: PushOptions = {
  ...{ mode: 'push', remove: 'nothing', visibleWithinMs: 10_000 },
  ...{ patience: { attempts: 4, baseMs: 10 }, note: (text) => notes.push(text) },
};
let sshd: Sshd;
let sample: Sample;

beforeAll(async () => {
  sshd = await startSshd(scratch);
  sample = await sampleRepository(scratch);
  await sample.release('1.0.0', [3_000_000, 10, 2_000_000, 20]);
});
afterAll(() => sshd.close());

function open(folder: string, configFile = sshd.configFile): Promise<PushTarget> {
  const path = encodeURI(join(sshd.folder, folder));
  return openTarget(`sftp://${sshd.user}@127.0.0.1:${sshd.port}${path}`, {
    ...{ environment: {}, sshConfigFile: configFile },
  });
}

test('everything arrives in a new folder, the second time nothing is sent, and a new state takes the place of the old', async () => {
  const target = await open('new/with space');
  const plan = await pushRepository(sample.directory, target, { ...PUSH, mode: 'plan' });
  expect(await readdir(sshd.folder)).not.toContain('new');
  expect(await pushRepository(sample.directory, target, PUSH)).toEqual(plan);
  const folder = join(sshd.folder, 'new/with space');
  expect(await contents(folder)).toEqual(await contents(sample.directory));
  expect(await pushRepository(sample.directory, target, PUSH)).toMatchObject({ uploaded: [] });
  await sample.release('1.1.0', [1000]);
  await pushRepository(sample.directory, target, PUSH);
  expect(await contents(folder)).toEqual(await contents(sample.directory));
  await target.remove(['1.snapshot.json', 'gone.payload']);
  expect(await readdir(folder)).not.toContain('1.snapshot.json');
});

test('a connection that is cut in the middle: it goes on where it was', async () => {
  const slow = await sampleRepository(join(scratch, 'cut'));
  const [large = ''] = await slow.release('1.0.0', [60_000_000]);
  const folder = join(sshd.folder, 'cut');
  const part = join(folder, `.${large}.part`);
  let cutAt = 0;
  const cutter = (async () => {
    while (cutAt === 0) {
      const sizeBytes = await stat(part).then(
        ({ size }) => size,
        () => 0,
      );
      if (sizeBytes > 0) {
        await sshd.cut();
        cutAt = (await stat(part)).size;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const target = await open('cut');
  const inode: number[] = [];
  const watched: PushTarget = {
    ...target,
    upload: async (files, done) => {
      if (files[0]?.name === large)
        inode.push(
          await stat(part).then(
            ({ ino }) => ino,
            () => 0,
          ),
        );
      await target.upload(files, done);
    },
  };
  await pushRepository(slow.directory, watched, PUSH);
  await cutter;
  expect(cutAt).toBeGreaterThan(0);
  expect(cutAt).toBeLessThan(60_000_000);
  expect(notes.join('\n')).toMatch(/again in/);
  expect(inode.length).toBe(2);
  // The same file, not a new one.
  expect((await stat(join(folder, large))).ino).toBe(inode[1]);
  expect(await contents(folder)).toEqual(await contents(slow.directory));
});

test('a part that is longer than the file, and a broken file under the final name, are replaced', async () => {
  const target = await open('broken');
  const folder = join(sshd.folder, 'broken');
  await mkdir(folder);
  const [payload = '', other = ''] = [...(await contents(sample.directory)).keys()].filter((name) =>
    name.endsWith('.payload'),
  );
  await writeFile(join(folder, `.${payload}.part`), Buffer.alloc(4_000_000));
  await writeFile(join(folder, other), 'half');
  const { chown } = await import('node:fs/promises');
  if (process.getuid?.() === 0)
    for (const path of [folder, join(folder, `.${payload}.part`)]) await chown(path, 65534, 65534);
  await pushRepository(sample.directory, target, PUSH);
  expect(await contents(folder)).toEqual(await contents(sample.directory));
});

test('an unknown host key, a key that is not let in and a folder that is not ours end at once, with a hint', async () => {
  notes.length = 0;
  const unknown = await open('x', sshd.strangerConfigFile);
  await expect(pushRepository(sample.directory, unknown, PUSH)).rejects.toMatchObject({
    ...{ code: 'push.refused', message: expect.stringContaining('host key') },
  });
  const stranger = await openTarget(`sftp://root@127.0.0.1:${sshd.port}/x`, {
    ...{ environment: {}, sshConfigFile: sshd.configFile },
  });
  await expect(pushRepository(sample.directory, stranger, PUSH)).rejects.toMatchObject({
    code: 'push.refused',
  });
  const foreign = await openTarget(`sftp://${sshd.user}@127.0.0.1:${sshd.port}/proc/1/x`, {
    ...{ environment: {}, sshConfigFile: sshd.configFile },
  });
  await expect(pushRepository(sample.directory, foreign, PUSH)).rejects.toMatchObject({ code: /^push\./ });
  expect(notes.filter((note) => !note.includes('/proc'))).toEqual([]);
});
