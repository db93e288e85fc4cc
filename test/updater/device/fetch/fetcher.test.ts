import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import type { FetchConfig, FetchLimits } from '../../../../updater/device/fetch/config.ts';
import { createFetcher, type Fetcher } from '../../../../updater/device/fetch/fetcher.ts';
import type { ByteStream } from '../../../../updater/device/fetch/stream.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { fetchProgram } from './programs.ts';
import { serveFiles, type Behaviour, type TestServer } from './server.ts';

const directory = scratchDirectory();
const system = createNodeSystem();
const FILE = Uint8Array.from({ length: 3_000_000 }, (_, index) => (index * 7 + (index >> 8) * 13) & 0xff);
const FILES = { 'a.payload': FILE, 'timestamp.json': Buffer.from('{"signed":1}') };
const IMPATIENT: FetchLimits = {
  connectSeconds: 2,
  stallSeconds: 1.5,
  minimumBytesPerSecond: 256,
  rounds: 3,
  pauseMs: 10,
};

const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(behave?: (request: number, path: string) => Behaviour): Promise<TestServer> {
  const server = await serveFiles(FILES, behave);
  servers.push(server);
  return server;
}

async function serveAlways(behaviour: Behaviour): Promise<TestServer> {
  return serve(() => behaviour);
}

async function readAll(stream: ByteStream): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for (let chunk = await stream.read(65_536); chunk.length > 0; chunk = await stream.read(65_536))
    chunks.push(chunk);
  return Buffer.concat(chunks);
}

function same(bytes: Uint8Array, offset: number, endBytes: number): boolean {
  return Buffer.from(bytes).equals(Buffer.from(FILE.subarray(offset, endBytes)));
}

describe.each(['curl', 'wget'] as const)('by %s', (kind) => {
  async function fetcher(
    mirrors: readonly (TestServer | string)[],
    options: Partial<FetchConfig> = {},
  ): Promise<Fetcher> {
    return createFetcher(system, {
      mirrors: mirrors.map((mirror) => (typeof mirror === 'string' ? mirror : mirror.url)),
      scratch: join(directory, kind),
      program: await fetchProgram(kind),
      limits: IMPATIENT,
      ...options,
    });
  }

  test('a small file comes whole, a missing one is told', async () => {
    const server = await serve();
    const fetch = await fetcher([server]);
    expect(Buffer.from((await fetch.file('timestamp.json', 100)) as Uint8Array).toString()).toBe(
      '{"signed":1}',
    );
    expect(await fetch.file('7.root.json', 100)).toBe('missing');
    // A missing file is an answer: it is not asked for again and again.
    expect(server.requests).toHaveLength(2);
  });

  test.each([
    [0, 3_000_000],
    [0, 1000],
    [1, 2],
    [1_500_001, 3_000_000],
    [100_000, 2_900_001],
  ])('bytes %i to %i', async (offset, end) => {
    const fetch = await fetcher([await serve()]);
    expect(same(await readAll(fetch.stream('a.payload', offset, end)), offset, end)).toBe(true);
  });

  test('failure 1: the network drops at 80 %: it goes on with the next byte, and fetches nothing twice', async () => {
    const server = await serve((request) =>
      request === 0 ? { kind: 'drop', afterBytes: 2_400_000 } : { kind: 'right' },
    );
    const fetch = await fetcher([server]);
    expect(same(await readAll(fetch.stream('a.payload', 0, FILE.length)), 0, FILE.length)).toBe(true);
    expect(server.requests.length).toBeGreaterThan(1);
    const [, start] = /bytes=(\d+)-/.exec(server.requests[1] ?? '') ?? [];
    expect(Number(start)).toBeGreaterThan(2_000_000);
    expect(server.bytesSent()).toBeLessThan(FILE.length + 500_000);
    expect(fetch.receivedBytes()).toBeGreaterThanOrEqual(FILE.length);
    expect(fetch.receivedBytes()).toBeLessThan(FILE.length + 10_000);
  });

  test.each<Behaviour>([{ kind: 'no-ranges' }, { kind: 'multipart' }, { kind: 'elsewhere' }])(
    'failure 6: a server that answers a range with $kind',
    async (behaviour) => {
      const bad = await serveAlways(behaviour);
      const fetch = await fetcher([bad, await serve()]);
      const got = await readAll(fetch.stream('a.payload', 1_000_000, 1_200_000));
      // wget shows no head of an answer: what is not what was asked for is found by its digest, and distrusted.
      if (kind === 'curl' || behaviour.kind === 'no-ranges')
        expect(same(got, 1_000_000, 1_200_000)).toBe(true);
      else expect(got).toHaveLength(200_000);
    },
  );

  test('failure 6: without ranges, a broken connection still ends well', async () => {
    const server = await serve((request) =>
      request === 0 ? { kind: 'drop', afterBytes: 1_000_000 } : { kind: 'no-ranges' },
    );
    const fetch = await fetcher([server]);
    expect(same(await readAll(fetch.stream('a.payload', 0, FILE.length)), 0, FILE.length)).toBe(true);
  });

  test.each<Behaviour>([
    { kind: 'status', status: 500 },
    { kind: 'status', status: 404 },
    { kind: 'stall', afterBytes: 1000 },
    { kind: 'silent' },
    { kind: 'slow-loris' },
    { kind: 'drop', afterBytes: 0 },
    { kind: 'truncate', afterBytes: 5000 },
    { kind: 'endless-head' },
  ])('a mirror that is no good ($kind) costs little when there is another', async (behaviour) => {
    const bad = await serveAlways(behaviour);
    const good = await serve();
    const fetch = await fetcher([bad, good]);
    expect(same(await readAll(fetch.stream('a.payload', 0, FILE.length)), 0, FILE.length)).toBe(true);
    // It is remembered which one works.
    const before = bad.requests.length;
    expect(same(await readAll(fetch.stream('a.payload', 100, 200)), 100, 200)).toBe(true);
    expect(bad.requests.length).toBe(before);
  });

  test('endless data is refused, and costs no more than the limit', async () => {
    const endless = await serveAlways({ kind: 'endless' });
    const fetch = await fetcher([endless]);
    await expect(fetch.file('timestamp.json', 10_000)).rejects.toMatchObject({ code: 'fetch.failed' });
    expect(fetch.receivedBytes()).toBeLessThan(1_000_000);
    expect(await readAll(fetch.stream('a.payload', 1000, 5000))).toHaveLength(4000);
  });

  test('patience ends, with what each mirror said', async () => {
    const one = await serveAlways({ kind: 'status', status: 503 });
    const fetch = await fetcher([one, 'http://127.0.0.1:9']);
    await expect(fetch.file('timestamp.json', 100)).rejects.toMatchObject({
      code: 'fetch.failed',
      message: expect.stringMatching(/503/) as string,
    });
    expect(one.requests).toHaveLength(IMPATIENT.rounds);
  });

  test('redirections are followed', async () => {
    const real = await serve();
    const fetch = await fetcher([await serveAlways({ kind: 'redirect', to: `${real.url}/a.payload` })]);
    expect(same(await readAll(fetch.stream('a.payload', 500, 900)), 500, 900)).toBe(true);
  });

  test('a proxy is asked instead of the mirror', async () => {
    const proxy = await serve();
    const fetch = await fetcher(['http://updates.invalid'], { proxy: proxy.url });
    expect(same(await readAll(fetch.stream('a.payload', 0, 100)), 0, 100)).toBe(true);
    expect(proxy.requests).toHaveLength(1);
  });

  test('the bandwidth limit is kept', async () => {
    const fetch = await fetcher([await serve()], { bytesPerSecond: 200_000 });
    const start = performance.now();
    await readAll(fetch.stream('a.payload', 0, 100_000));
    expect(performance.now() - start).toBeGreaterThan(450);
  });

  test('a mirror that lies is asked no more when it was distrusted twice', async () => {
    const liar = await serveAlways({ kind: 'lie' });
    const fetch = await fetcher([liar, await serve()]);
    const stream = fetch.stream('a.payload', 0, 100);
    expect(same(await readAll(stream), 0, 100)).toBe(false);
    stream.distrust();
    expect(same(await readAll(fetch.stream('a.payload', 0, 100)), 0, 100)).toBe(true);
    const alone = await fetcher([liar]);
    const again = alone.stream('a.payload', 0, 100);
    await readAll(again);
    again.distrust();
    expect(() => again.distrust()).toThrow(expect.objectContaining({ code: 'fetch.untrustworthy' }) as Error);
  });
});

describe('a directory', () => {
  test('is a mirror as any other', async () => {
    const usb = join(directory, 'usb');
    mkdirSync(usb);
    writeFileSync(join(usb, 'a.payload'), FILE);
    for (const mirror of [usb, `file://${usb}`]) {
      const fetch = createFetcher(system, { mirrors: [mirror], scratch: join(directory, 'folder') });
      expect(same(await readAll(fetch.stream('a.payload', 700, 900)), 700, 900)).toBe(true);
      expect(await fetch.file('nothing.json', 10)).toBe('missing');
    }
  });
});

test.each([
  ['--output', 'fetch.mirror'],
  ['ftp://server/', 'fetch.mirror'],
  ['http://server/a b', 'fetch.mirror'],
  ["http://server/'x\n", 'fetch.mirror'],
  ['relative/directory', 'fetch.mirror'],
])('%s is no mirror', (mirror, code) => {
  expect(() => createFetcher(system, { mirrors: [mirror], scratch: directory })).toThrow(
    expect.objectContaining({ code }) as Error,
  );
});

test.each(['../../etc/passwd', '/etc/passwd', 'a/b/c', '-o', 'a b', ''])(
  '%j is no name of a file',
  async (name) => {
    const fetch = createFetcher(system, { mirrors: [directory], scratch: directory });
    await expect(fetch.file(name, 10)).rejects.toMatchObject({ code: 'fetch.name' });
  },
);
