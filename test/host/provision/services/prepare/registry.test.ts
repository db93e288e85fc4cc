/** Images out of a registry, through curl. On QuickJS, in a process of its own: some of the servers live in this one. */
import { mkdtempSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { registryProgram, startRegistry, type Registry } from '../../../../builder/oci/docker-registry.ts';
import {
  digest,
  imageIndex,
  testImage,
  type TarMember,
  type TestImage,
} from '../../../../builder/oci/image-files.ts';
import { servicesProgram } from '../quickjs.ts';
import { request, scratch, type Scratch } from '../scratch.ts';
import type { ServicesRequest, ServicesResult } from '../../../../../host/provision/services/request.ts';

const program = registryProgram();
const isRoot = process.getuid?.() === 0;
const services = await servicesProgram();

async function prepare(
  s: Scratch,
  yaml: string,
  changes: Partial<ServicesRequest> = {},
): Promise<ServicesResult> {
  return (await services.run(request(yaml, changes), s.paths)).result;
}

const LAYER: readonly TarMember[] = [
  { name: 'usr/bin/webd', text: '#!', mode: 0o755 },
  { name: 'etc/passwd', text: 'www:x:33:34::/srv:/bin/sh\n' },
];

describe.skipIf(program === undefined || !isRoot)('a real registry', () => {
  let open: Registry;
  let guarded: Registry;
  let image: TestImage;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-registry-'));
    [open, guarded] = await Promise.all([
      startRegistry(program ?? '', join(folder, 'open'), 'open'),
      startRegistry(program ?? '', join(folder, 'token'), 'token'),
    ]);
    image = await testImage([LAYER, [{ name: 'more', text: 'm' }]]);
  });
  afterAll(async () => {
    await open.stop();
    await guarded.stop();
  });

  test('by digest: fetched once, and never asked again', async () => {
    const s = scratch();
    await open.push('apps/web', '1', image);
    const yaml = `web:\n  image: ${open.host}/apps/web@${digest(image.manifest)}`;
    const { services: made, outcomes, diagnostics } = await prepare(s, yaml);
    expect([outcomes[0]?.reason, diagnostics]).toEqual([null, []]);
    const root = readlinkSync(join(made[0]?.bundle ?? '', 'rootfs'));
    expect(readFileSync(join(root, 'more'), 'utf8')).toBe('m');
    // What was fetched for it is gone once it is unpacked.
    expect(readdirSync(s.paths.images)).toHaveLength(1);
    const asked = open.requests.length;
    expect((await prepare(s, yaml, { network: 'no' })).services).toEqual(made);
    expect(open.requests.length).toBe(asked);
  });

  test('by a tag of an index, with a token that anybody gets', async () => {
    const s = scratch();
    await guarded.push('apps/web', 'stable', image, imageIndex([{ ...image, architecture: 'amd64' }]));
    const {
      services: made,
      outcomes,
      diagnostics,
    } = await prepare(s, `web:\n  image: ${guarded.host}/apps/web:stable`);
    expect(outcomes[0]?.reason).toBeNull();
    expect(made).toHaveLength(1);
    expect(diagnostics.map(({ code, severity }) => [severity, code])).toEqual([
      ['warning', 'service.not-pinned'],
    ]);
  });

  test('without a network it waits; what is not there is told', async () => {
    const s = scratch();
    const missing = `web:\n  image: ${open.host}/apps/none:1`;
    expect((await prepare(s, missing, { network: 'no' })).outcomes[0]).toMatchObject({ state: 'pending' });
    const { outcomes } = await prepare(s, missing);
    expect(outcomes[0]).toMatchObject({
      state: 'failed',
      reason: `${open.host}/apps/none: there is no manifests/1`,
    });
  });
});

/** A registry on plain HTTP that does what it is told. */
async function lyingRegistry(
  answer: (
    url: string,
    from: number,
  ) => { status: number; body: Buffer; cut?: number; headers?: Record<string, string> },
): Promise<{ host: string; server: Server; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    asked.push(`${request.url ?? ''} ${from}`);
    const { status, body, cut, headers = {} } = answer(request.url ?? '', from);
    const range = status === 206 ? { 'content-range': `bytes ${from}-${from + body.length - 1}/*` } : {};
    response.writeHead(status, { 'content-length': body.length, ...range, ...headers });
    if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, server, asked };
}

describe.skipIf(!isRoot)('a registry that fails', () => {
  const servers: Server[] = [];
  afterAll(() => servers.forEach((server) => (server.closeAllConnections(), server.close())));
  const blobs = (image: TestImage): ReadonlyMap<string, Buffer> =>
    new Map(
      [image.manifest, image.config, ...image.layers.map(({ blob }) => blob)].map((bytes) => [
        digest(bytes),
        bytes,
      ]),
    );
  const wanted = (url: string): string => /sha256:[0-9a-f]{64}/.exec(url)?.[0] ?? '';

  test('a download that is cut off goes on where it ended', async () => {
    const image = await testImage([
      [
        ...LAYER,
        { name: 'big', text: Buffer.from(Array.from({ length: 300_000 }, () => Math.random() * 256)) },
      ],
    ]);
    const known = blobs(image);
    const layer = digest(image.layers[0]?.blob ?? Buffer.of());
    const registry = await lyingRegistry((url, from) => {
      const body = known.get(wanted(url)) ?? Buffer.of();
      if (wanted(url) === layer && from < 200_000)
        return { status: from > 0 ? 206 : 200, body: body.subarray(from), cut: 100_000 };
      return { status: from > 0 ? 206 : 200, body: body.subarray(from) };
    });
    servers.push(registry.server);
    const s = scratch();
    const { outcomes } = await prepare(s, `web:\n  image: ${registry.host}/web@${digest(image.manifest)}`);
    expect(outcomes[0]?.reason).toBeNull();
    const starts = registry.asked
      .filter((line) => line.includes(layer))
      .map((line) => Number(line.split(' ')[1]));
    expect(starts.length).toBeGreaterThan(2);
    expect(starts[0]).toBe(0);
    expect(starts.slice(1).every((from) => from > 0)).toBe(true);
  });

  test('another image than its digest says: refused, nothing stays', async () => {
    const [image, other] = [
      await testImage([LAYER]),
      await testImage([[...LAYER, { name: 'evil', text: 'x' }]]),
    ];
    const known = blobs(image);
    const layer = digest(image.layers[0]?.blob ?? Buffer.of());
    const wrong = Buffer.from(
      (image.layers[0]?.blob ?? Buffer.of()).map((byte, at) => (at % 50 === 40 ? byte ^ 1 : byte)),
    );
    const answers: readonly ((url: string) => Buffer | undefined)[] = [
      (url) => (url.includes('/manifests/') ? other.manifest : known.get(wanted(url))),
      (url) => (wanted(url) === layer ? wrong : known.get(wanted(url))),
      (url) =>
        wanted(url) === layer
          ? Buffer.concat([known.get(layer) ?? Buffer.of(), Buffer.alloc(100_000)])
          : known.get(wanted(url)),
    ];
    for (const answer of answers) {
      const registry = await lyingRegistry((url) => ({ status: 200, body: answer(url) ?? Buffer.of() }));
      servers.push(registry.server);
      const s = scratch();
      const { outcomes } = await prepare(s, `web:\n  image: ${registry.host}/web@${digest(image.manifest)}`);
      expect(outcomes[0]).toMatchObject({ state: 'failed' });
      expect(outcomes[0]?.reason).toMatch(/sends something else|more comes than there should be/);
      expect(readdirSync(s.paths.images).filter((name) => name !== '.blobs')).toEqual([]);
    }
  });

  test('who asks for a password gets none', async () => {
    const image = await testImage([LAYER]);
    const registry = await lyingRegistry(() => ({
      status: 401,
      body: Buffer.of(),
      headers: { 'www-authenticate': 'Basic realm="x"' },
    }));
    servers.push(registry.server);
    const { outcomes } = await prepare(
      scratch(),
      `web:\n  image: ${registry.host}/web@${digest(image.manifest)}`,
    );
    expect(outcomes[0]?.reason).toMatch(/is not public \(it asks for a password\)/);
  });

  test('nobody there: it waits, and says so', async () => {
    const { outcomes } = await prepare(scratch(), `web:\n  image: 127.0.0.1:1/web@sha256:${'a'.repeat(64)}`);
    expect(outcomes[0]).toMatchObject({ state: 'pending' });
    expect(outcomes[0]?.reason).toMatch(/cannot be reached/);
  }, 60_000);
});
