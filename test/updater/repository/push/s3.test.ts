import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTarget } from '../../../../updater/repository/push/open.ts';
import { pushRepository, type PushOptions } from '../../../../updater/repository/push/push.ts';
import type { PushTarget } from '../../../../updater/repository/push/target.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { BUCKET, CREDENTIALS, startS3, type S3Server } from './s3-server.ts';
import { contents, sampleRepository, sha256Of, type Sample } from './sample.ts';

const scratch = scratchDirectory();
const PUSH: PushOptions = {
  ...{ mode: 'push', remove: 'nothing', visibleWithinMs: 5000 },
  patience: { attempts: 4, baseMs: 1 },
};
let store: S3Server;
let sample: Sample;
let payloads: readonly string[];

beforeAll(async () => {
  store = await startS3();
  sample = await sampleRepository(scratch);
  payloads = await sample.release('1.0.0', [1000, 36_000_000]);
});
afterAll(() => store.close());

function open(prefix: string, environment: Record<string, string> = {}): Promise<PushTarget> {
  return openTarget(`s3://${BUCKET}${prefix}`, {
    environment: { AWS_ENDPOINT_URL: store.endpoint, ...CREDENTIALS, ...environment },
  });
}

function stored(prefix: string): ReadonlyMap<string, string> {
  const own = [...store.objects].filter(([key]) => key.startsWith(prefix)).sort();
  return new Map(own.map(([key, { bytes }]) => [key.slice(prefix.length), sha256Of(bytes)]));
}

test('everything arrives, signed, the timestamp last and never cached; the second time nothing is sent', async () => {
  const target = await open('/a/b (c)');
  store.log.length = 0;
  await pushRepository(sample.directory, target, PUSH);
  expect(stored('a/b (c)/')).toEqual(await contents(sample.directory));
  const order = store.log.filter((line) => /^(PUT|POST)/.test(line));
  expect(order.at(-1)).toMatch(/timestamp\.json$/);
  expect(store.objects.get('a/b (c)/timestamp.json')?.cacheControl).toBe('no-cache');
  expect(store.objects.get(`a/b (c)/${payloads[1] ?? ''}`)?.cacheControl).toMatch('immutable');
  store.log.length = 0;
  expect(await pushRepository(sample.directory, target, PUSH)).toMatchObject({ uploaded: [] });
  expect(store.log.filter((line) => !line.startsWith('GET'))).toEqual([]);
  await target.remove(['1.snapshot.json', 'gone.payload']);
  expect(stored('a/b (c)/').has('1.snapshot.json')).toBe(false);
});

test('cut off in a large file: the next push sends only the parts that are missing', async () => {
  const target = await open('/cut');
  store.log.length = 0;
  store.fault = (line) => (line.includes('partNumber=3') ? 0 : undefined);
  await expect(pushRepository(sample.directory, target, PUSH)).rejects.toMatchObject({ code: 'push.failed' });
  store.fault = () => undefined;
  expect(stored('cut/').has('timestamp.json')).toBe(false);
  expect(store.log.filter((line) => line.includes('partNumber')).length).toBe(2);
  store.log.length = 0;
  await pushRepository(sample.directory, target, PUSH);
  expect(
    store.log.filter((line) => line.includes('partNumber')).map((line) => /partNumber=\d/.exec(line)?.[0]),
  ).toEqual(['partNumber=3']);
  expect(stored('cut/')).toEqual(await contents(sample.directory));
});

test('a store that is busy, or cuts connections, now and then', async () => {
  let requests = 0;
  store.fault = () => ({ 4: 503, 9: 0 })[requests++ % 11];
  await pushRepository(sample.directory, await open('/busy'), {
    ...PUSH,
    patience: { attempts: 12, baseMs: 1 },
  });
  store.fault = () => undefined;
  expect(stored('busy/')).toEqual(await contents(sample.directory));
});

test('wrong keys, no keys, no bucket end at once, with a hint', async () => {
  const notes: string[] = [];
  const options: PushOptions = { ...PUSH, note: (text) => notes.push(text) };
  const wrong = await open('', { AWS_SECRET_ACCESS_KEY: 'other' });
  await expect(pushRepository(sample.directory, wrong, options)).rejects.toMatchObject({
    ...{ code: 'push.refused', message: expect.stringContaining('SignatureDoesNotMatch') },
  });
  await expect(open('', { AWS_ACCESS_KEY_ID: '' })).rejects.toMatchObject({ code: 'push.credentials' });
  const nowhere = await openTarget('s3://elsewhere', {
    environment: { AWS_ENDPOINT_URL: store.endpoint, ...CREDENTIALS },
  });
  await expect(pushRepository(sample.directory, nowhere, options)).rejects.toMatchObject({ hint: /bucket/ });
  expect(notes).toEqual([]);
});

test('a payload that is damaged on this disk is not sent', async () => {
  const own = await sampleRepository(join(scratch, 'damaged'));
  const [payload = ''] = await own.release('1.0.0', [1000]);
  await writeFile(join(own.directory, payload), Buffer.alloc(1000));
  await expect(pushRepository(own.directory, await open('/damaged'), PUSH)).rejects.toMatchObject({
    code: 'push.damaged',
  });
  expect([...stored('damaged/').keys()]).toEqual([]);
});
