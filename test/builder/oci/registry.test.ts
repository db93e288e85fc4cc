import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openImage, type OciImage } from '../../../builder/oci/image.ts';
import { isLoopback, parseReference } from '../../../oci/reference.ts';
import { registryProgram, startRegistry, type Registry } from './docker-registry.ts';
import { digest, imageIndex, testImage, type TestImage } from './image-files.ts';

let scratch: string;
let count = 0;
const before = process.env['SLIPWAY_CACHE'];
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-registry-'));
});
beforeEach(() => {
  process.env['SLIPWAY_CACHE'] = join(scratch, `cache-${count++}`);
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
  if (before === undefined) delete process.env['SLIPWAY_CACHE'];
  else process.env['SLIPWAY_CACHE'] = before;
});

const program = registryProgram();

describe.skipIf(program === undefined)('a real registry', () => {
  let registry: Registry;
  let amd64: TestImage;
  let arm64: TestImage;
  beforeAll(async () => {
    registry = await startRegistry(program ?? '', join(scratch, 'open'), 'open');
    amd64 = await testImage([[{ name: 'a', text: 'amd64' }], [{ name: 'b', text: 'second' }]]);
    arm64 = await testImage([[{ name: 'a', text: 'arm64' }]], { architecture: 'arm64' });
    const index = imageIndex([
      { ...arm64, architecture: 'arm64' },
      { ...amd64, architecture: 'amd64' },
    ]);
    await registry.push('team/single', '1.0', amd64);
    await registry.push('team/multi', 'unused', arm64);
    await registry.push('team/multi', 'unused', amd64);
    await registry.push('team/multi', 'latest', amd64, index).catch(async () => {
      // The index names both manifests by digest.
      await registry.push('team/multi', digest(arm64.manifest), arm64);
      await registry.push('team/multi', 'latest', amd64, index);
    });
  });
  afterAll(() => registry.stop());

  test('a tag', async () => {
    const image = await open(`${registry.host}/team/single:1.0`);
    expect(paths(image)).toEqual(['/a', '/b']);
    expect(image.digest).toBe(digest(amd64.manifest));
  });

  test('an index: the manifest of the machine is taken, and is what the lock will name', async () => {
    expect((await open(`${registry.host}/team/multi`)).digest).toBe(digest(amd64.manifest));
  });

  test('a digest', async () => {
    const image = await open(`${registry.host}/team/multi@${digest(amd64.manifest)}`);
    expect(image.digest).toBe(digest(amd64.manifest));
  });

  test('a moved tag does not move a locked image', async () => {
    const reference = `${registry.host}/team/moving:1`;
    await registry.push('team/moving', '1', amd64);
    const locked = (await open(reference)).digest;
    await registry.push('team/moving', '1', await testImage([[{ name: 'new', text: 'x' }]]));
    process.env['SLIPWAY_CACHE'] = join(scratch, 'cache-moved');
    expect(paths(await open(reference, locked))).toEqual(['/a', '/b']);
    expect(paths(await open(reference))).toEqual(['/new']);
  });

  test('locked and in the cache: no request is made', async () => {
    const reference = `${registry.host}/team/single:1.0`;
    const { digest: locked } = await open(reference);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const requests = registry.requests.length;
    expect(paths(await open(reference, locked))).toEqual(['/a', '/b']);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(registry.requests.length).toBe(requests);
  });

  test('what is not there', async () => {
    await expect(open(`${registry.host}/team/single:2.0`)).rejects.toMatchObject({ code: 'oci.not-found' });
    await expect(open(`${registry.host}/team/none:1.0`)).rejects.toMatchObject({ code: 'oci.not-found' });
  });
});

test.skipIf(program === undefined)('a registry that wants a token', async () => {
  const registry = await startRegistry(program ?? '', join(scratch, 'token'), 'token');
  try {
    const image = await testImage([[{ name: 'a', text: 'x' }]]);
    await registry.push('team/app', '1', image);
    expect((await open(`${registry.host}/team/app:1`)).digest).toBe(digest(image.manifest));
  } finally {
    await registry.stop();
  }
});

describe('a registry that misbehaves', () => {
  let server: Server;
  let answer: RequestListener;
  let host: string;
  beforeAll(async () => {
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  afterEach(() => {
    server.closeAllConnections();
  });

  test('another manifest than the digest names', async () => {
    const [image, other] = [await testImage([[]]), await testImage([[{ name: 'a', text: '' }]])];
    answer = (_request, response) => response.end(other.manifest);
    await expect(open(`${host}/a@${digest(image.manifest)}`)).rejects.toMatchObject({ code: 'oci.digest' });
  });

  test.each([
    ['another blob', (blob: Buffer): Buffer => Buffer.from(blob).fill(0)],
    ['a longer blob', (blob: Buffer): Buffer => Buffer.concat([blob, Buffer.alloc(1 << 20)])],
    ['a shorter blob', (blob: Buffer): Buffer => blob.subarray(1)],
  ])('%s than the digest names', async (_what, change) => {
    const image = await testImage([[{ name: 'a', text: String(count) }]]);
    answer = serve(image, change);
    await expect(open(`${host}/a:1`)).rejects.toMatchObject({ code: 'oci.digest' });
    answer = serve(image, (blob) => blob);
    expect(paths(await open(`${host}/a:1`))).toEqual(['/a']);
  });

  test('a manifest without end', async () => {
    answer = (_request, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65536)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    await expect(open(`${host}/a:1`)).rejects.toMatchObject({ code: 'oci.invalid' });
  });

  test('errors are told by what they are', async () => {
    answer = (_request, response) => response.writeHead(500).end();
    await expect(open(`${host}/a:1`)).rejects.toMatchObject({ code: 'oci.registry' });
    answer = (_request, response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
    await expect(open(`${host}/a:1`)).rejects.toMatchObject({ code: 'oci.denied' });
    answer = (_request, response) => response.writeHead(403).end();
    await expect(open(`${host}/a:1`)).rejects.toMatchObject({ code: 'oci.denied' });
    answer = (request) => request.destroy();
    await expect(open(`${host}/a:1`)).rejects.toMatchObject({ code: 'oci.unreachable' });
  });

  test('the token does not follow a redirect to another host', async () => {
    const image = await testImage([[{ name: 'a', text: 'redirected' }]]);
    const seen: (string | undefined)[] = [];
    const elsewhere = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end(image.layers[0]?.blob);
    });
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
    const { port } = elsewhere.address() as AddressInfo;
    answer = (request, response) => {
      if (request.url === '/token?scope=repository%3Aa%3Apull')
        response.end(JSON.stringify({ token: 'secret' }));
      else if (request.headers.authorization !== 'Bearer secret')
        response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${host}/token"` }).end();
      else if (request.url?.endsWith(digest(image.layers[0]?.blob ?? Buffer.alloc(0))) === true)
        response.writeHead(307, { location: `http://localhost:${port}/blob` }).end();
      else serve(image, (blob) => blob)(request, response);
    };
    expect(paths(await open(`${host}/a:1`))).toEqual(['/a']);
    expect(seen).toEqual([undefined]);
    // A connection that never carried a request counts as busy for five minutes.
    elsewhere.closeAllConnections();
    await new Promise((resolve) => elsewhere.close(resolve));
  });
});

test('nobody answers', async () => {
  await expect(open('127.0.0.1:1/a:1')).rejects.toMatchObject({ code: 'oci.unreachable' });
});

test.each([
  ['registry.example/app', { host: 'registry.example', repository: 'app', tag: 'latest' }],
  ['registry.example:5000/a/b:1', { host: 'registry.example:5000', repository: 'a/b', tag: '1' }],
  ['localhost/a_b-c.d:V1', { host: 'localhost', repository: 'a_b-c.d', tag: 'V1' }],
  [
    `h.example/a:1@sha256:${'0'.repeat(64)}`,
    { host: 'h.example', tag: '1', digest: `sha256:${'0'.repeat(64)}` },
  ],
  ['./image.tar', { kind: 'path', path: './image.tar' }],
])('reference %s', (text, expected) => {
  expect(parseReference(text)).toMatchObject(expected);
});

test.each([
  ['127.0.0.1:5000', true],
  ['[::1]:5000', true],
  ['localhost', true],
  ['127.0.0.1.example', false],
  ['localhost.example', false],
])('%s is on this machine: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

function serve(image: TestImage, change: (blob: Buffer) => Buffer): RequestListener {
  return (request, response) => {
    const url = request.url ?? '';
    const blob = image.layers.map((layer) => layer.blob).find((layer) => url.endsWith(digest(layer)));
    if (blob !== undefined) response.end(change(blob));
    else response.end(url.endsWith(digest(image.config)) ? image.config : image.manifest);
  };
}

function open(reference: string, locked?: string): Promise<OciImage> {
  return openImage(reference, {
    architecture: 'amd64',
    component: 'service:web',
    zstd: () => Promise.resolve(['zstd']),
    ...(locked === undefined ? {} : { digest: locked }),
  });
}

function paths(image: OciImage): readonly string[] {
  return image.entries.map(({ path }) => path);
}
