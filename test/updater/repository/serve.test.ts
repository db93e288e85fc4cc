/** The laboratory's server, asked by a client that is not ours. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Faults } from '../../../updater/repository/serve/faults.ts';
import { parseRange } from '../../../updater/repository/serve/range.ts';
import { serveRepository, type ServedRequest, type Server } from '../../../updater/repository/serve/serve.ts';
import { scratchDirectory } from '../../builder/scratch.ts';

const directory = join(scratchDirectory(), 'repository');
const log: ServedRequest[] = [];
const faults = new Map<string, Faults>();
let server: Server;

beforeAll(async () => {
  await mkdir(join(directory, '.slipway'), { recursive: true });
  await writeFile(join(directory, '.slipway/secret'), 'secret');
  await writeFile(join(directory, 'timestamp.json'), '{}');
  await writeFile(join(directory, 'a.payload'), 'x'.repeat(1000) + 'y'.repeat(1000));
  await writeFile(join(directory, 'empty'), '');
  server = await serveRepository(directory, {
    faults: (path) => faults.get(path),
    log: (request) => log.push(request),
  });
});
afterAll(() => server.close());

const curl = async (path: string, ...options: readonly string[]): Promise<string> => {
  const argv = ['--silent', '--noproxy', '*', '--path-as-is', '--max-time', '10', ...options];
  const { stdout } = await promisify(execFile)('curl', [...argv, `${server.address}${path}`]);
  return stdout;
};
const status = (path: string, ...options: readonly string[]): Promise<string> =>
  curl(path, '--output', '/dev/null', '--write-out', '%{http_code} %{size_download}', ...options);

test('ranges are answered as RFC 9110 has them', async () => {
  expect(await curl('/a.payload', '--range', '998-1001')).toBe('xxyy');
  expect(await curl('/a.payload', '--range', '-3')).toBe('yyy');
  expect(await status('/a.payload', '--range', '1500-9999')).toBe('206 500');
  expect(await status('/a.payload', '--range', '2000-')).toBe('416 0');
  expect(await status('/a.payload')).toBe('200 2000');
  expect(await status('/empty')).toBe('200 0');
  expect(await curl('/a.payload', '--head')).toContain('Content-Length: 2000');
  expect(log.some(({ range, sentBytes }) => range === 'bytes=998-1001' && sentBytes === 4)).toBe(true);
});

test.each([
  [undefined, { kind: 'whole' }],
  ['bytes=0-0', { kind: 'part', first: 0, last: 0 }],
  ['bytes=5-2', { kind: 'whole' }],
  ['bytes=0-1,5-6', { kind: 'whole' }],
  ['bytes=-', { kind: 'whole' }],
  ['bytes=-0', { kind: 'unsatisfiable' }],
  ['bytes=-50', { kind: 'part', first: 0, last: 9 }],
  ['bytes=10-', { kind: 'unsatisfiable' }],
])('range %s of ten bytes', (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
});

test.each([
  '/.slipway/secret',
  '/../repository/a.payload',
  '/.slipway',
  '/',
  '/%2e%2e/x',
  '/%00',
  '/nothing',
])('%s is not served', async (path) => {
  expect(await status(path)).toMatch(/^404 /);
});

test('only timestamp.json may not be kept by caches', async () => {
  expect(await curl('/timestamp.json', '--head')).toContain('no-cache');
  expect(await curl('/a.payload', '--head')).toContain('immutable');
});

test('a port that is taken is said', async () => {
  await expect(serveRepository(directory, { port: server.port })).rejects.toMatchObject({
    code: 'serve.port',
  });
});

test('faults on request', async () => {
  faults.set('/a.payload', { status: 503 });
  expect(await status('/a.payload')).toMatch(/^503/);
  faults.set('/a.payload', { ranges: 'ignore' });
  expect(await status('/a.payload', '--range', '5-9')).toBe('200 2000');
  faults.set('/a.payload', { cutAfterBytes: 1500 });
  await expect(status('/a.payload')).rejects.toMatchObject({ code: 18, stdout: '200 1500' });
  faults.set('/a.payload', { flipByteAt: 999 });
  expect(await curl('/a.payload', '--range', '998-1000')).toBe('xyy');
  faults.set('/a.payload', { bytesPerSecond: 4000 });
  const start = performance.now();
  await status('/a.payload');
  expect(performance.now() - start).toBeGreaterThan(400);
  faults.set('/a.payload', { endless: true });
  const { stdout } = (await status('/a.payload', '--max-time', '1').catch((error: unknown) => error)) as {
    stdout: string;
  };
  expect(Number(stdout.split(' ')[1])).toBeGreaterThan(100_000);
  faults.clear();
});
