/** `slip update` over real networks, by the machine's own programs: own CA, proxies, mirrors, limits, as an operator sets them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FetchProgram } from '../../../updater/device/fetch/config.ts';
import { createFetcher } from '../../../updater/device/fetch/fetcher.ts';
import { scratchDirectory } from '../../builder/scratch.ts';
import { fetchProgram } from './fetch/programs.ts';
import { publish, testMachine, type TestMachine } from './machine.ts';

const folder = scratchDirectory();
const ours = makeAuthority('ours');
const stranger = makeAuthority('stranger');
const servers: { close: () => unknown; closeAllConnections: () => void }[] = [];
let machine: TestMachine;

beforeEach(async () => {
  machine = await testMachine(folder, { settings: { url: null } });
  await publish(machine, '1.1.0');
  await hasProgram('curl');
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** As an image with or without curl. */
async function hasProgram(kind: FetchProgram['kind']): Promise<void> {
  const program = await fetchProgram(kind);
  const status = machine.system.status.bind(machine.system);
  Object.assign(machine.system, {
    status: (path: string) =>
      path === '/usr/bin/curl' ? (kind === 'curl' ? status('/proc/self/stat') : undefined) : status(path),
  });
  machine.createFetcher = (config) =>
    createFetcher(machine.system, { ...config, program, limits: { rounds: 1, connectSeconds: 5 } });
}

interface Authority {
  readonly path: string;
  readonly pem: string;
  readonly key: string;
}

/** A certificate for 127.0.0.1 that is its own authority. */
function makeAuthority(name: string): Authority {
  const at = (suffix: string): string => join(folder, `${name}.${suffix}`);
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '30'];
  const key = ['-newkey', 'rsa:2048', '-nodes', '-keyout', at('key')];
  mkdirSync(folder, { recursive: true });
  execFileSync('openssl', ['req', '-x509', ...key, '-out', at('pem'), ...subject], { stdio: 'ignore' });
  return { path: at('pem'), pem: readFileSync(at('pem'), 'utf8'), key: readFileSync(at('key'), 'utf8') };
}

function answer(path: string | undefined): Uint8Array | undefined {
  return machine.repository.files.get((path ?? '/').replace(/^https?:\/\/[^/]+/, '').slice(1));
}

async function listen(server: Server | ReturnType<typeof createServer>): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** The repository over HTTPS. */
async function serveHttps({ key, pem }: Authority = ours): Promise<string> {
  const server = createServer({ key, cert: pem }, ({ url }, response) => {
    const bytes = answer(url);
    response.writeHead(bytes === undefined ? 404 : 200, { 'Content-Length': bytes?.length ?? 0 });
    response.end(bytes);
  });
  return `https://127.0.0.1:${await listen(server)}`;
}

/** The repository over HTTP, which remembers what it was asked. */
async function serveHttp(): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createHttpServer(({ url, headers }, response) => {
    asked.push(`${headers['proxy-authorization'] ?? ''} ${url ?? ''}`.trim());
    const bytes = answer(url);
    response.writeHead(bytes === undefined ? 404 : 200, { 'Content-Length': bytes?.length ?? 0 });
    response.end(bytes);
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, asked };
}

async function config(key: string, value: string): Promise<void> {
  const { code, stderr } = await machine.update('config', key, value);
  if (code !== 0) throw new Error(stderr);
}

describe('an own CA', () => {
  test('given by command is what the server is checked by', async () => {
    await config('url', await serveHttps());
    // The system's CAs know nothing of it.
    expect((await machine.update('check')).stderr).toMatch(/certificate/i);
    machine.system.give('/var/lib/slipway/own-ca.pem', ours.pem);
    // curl is given the path that the machine has: here it lies elsewhere.
    machine.createFetcher = withPlacedAuthority(machine.createFetcher);
    await config('ca', '/var/lib/slipway/own-ca.pem');
    expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
  });

  test('and no other server passes', async () => {
    await config('url', await serveHttps(stranger));
    await config('ca', ours.path);
    const { code, stderr } = await machine.update('check');
    expect(code).toBe(1);
    expect(stderr).toMatch(/certificate/i);
    expect(machine.repository.requests).toEqual([]);
  });

  test('that is no file of certificates is refused, and changes nothing', async () => {
    writeFileSync(join(folder, 'empty.pem'), 'nothing of the kind\n');
    expect((await machine.update('config', 'ca', '/none.pem')).stderr).toContain(
      'there is no file /none.pem',
    );
    expect((await machine.update('config', 'ca', join(folder, 'empty.pem'))).stderr).toContain(
      'holds no certificate in PEM form',
    );
    expect((await machine.update('config', 'ca')).stdout).toBe('ca  none  image\n');
  });

  test('on an image without curl is refused together with https, in whatever order they come', async () => {
    await hasProgram('wget');
    await config('ca', ours.path);
    const refused = await machine.update('config', 'url', 'https://user:secret@updates.example');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /https:\/\/user:\*\*\*@updates\.example cannot be checked against .*: this image has no curl\n.*update\.ca/,
    );
    await config('ca', 'none');
    await config('url', 'https://updates.example');
    expect((await machine.update('config', 'ca', ours.path)).stderr).toContain('this image has no curl');
    expect((await machine.update('config', 'ca')).stdout).toContain('ca  none');
  });

  test('on an image without curl, from provisioning: nothing is fetched unchecked, and that is told', async () => {
    await hasProgram('wget');
    const settings = { url: await serveHttps(), ca: ours.path };
    machine.system.give('/run/slipway/update/provisioning.json', JSON.stringify({ format: '1.0', settings }));
    const { code, stderr } = await machine.update('check');
    expect([code, stderr]).toEqual([1, expect.stringContaining('this image has no curl') as string]);
    expect((await machine.update('config')).stdout).toMatch(
      /beware: this image has no curl.*nothing is fetched/,
    );
    // Plain HTTP needs none, and is what the CA says nothing about.
    const plain = { ...settings, url: (await serveHttp()).url };
    machine.system.give(
      '/run/slipway/update/provisioning.json',
      JSON.stringify({ format: '1.0', settings: plain }),
    );
    expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
  });
});

describe.each(['curl', 'wget'] as const)('by %s', (kind) => {
  beforeEach(() => hasProgram(kind));

  test('a proxy with a password: everything goes there, and nobody is shown the password', async () => {
    const proxy = await serveHttp();
    const address = proxy.url.replace('http://', 'http://user:secret@');
    await config('url', 'http://updates.invalid');
    await config('proxy', address);
    expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
    expect(proxy.asked.length).toBeGreaterThan(3);
    const basic = Buffer.from('user:secret').toString('base64');
    for (const asked of proxy.asked)
      expect(asked).toMatch(new RegExp(`^Basic ${basic} http://updates.invalid/`));
    for (const shown of [await machine.update('config'), await machine.update('config', '--json')])
      expect(shown.stdout).toMatch(/http:\/\/user:\*\*\*@127/);
  });

  test('mirrors: one that is not there, one that has nothing, one that works', async () => {
    const empty = createHttpServer((_, response) => response.writeHead(404).end());
    const good = await serveHttp();
    await config('url', 'http://127.0.0.1:9');
    await config('mirrors', `http://127.0.0.1:${await listen(empty)} ${good.url}`);
    expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
    const told = await machine.update('config', 'mirrors', 'http://user:secret@127.0.0.1:9');
    expect(told.stdout).not.toContain('secret');
    expect((await machine.update('check')).stderr).not.toContain('secret');
  });
});

test('the bandwidth limit that is set is kept', async () => {
  const { url, asked } = await serveHttp();
  await config('url', url);
  await config('bandwidth_limit', '4096');
  const start = performance.now();
  expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
  const bytes = asked.reduce((sum, path) => sum + (answer(path)?.length ?? 0), 0);
  expect(bytes).toBeGreaterThan(4096);
  expect(performance.now() - start).toBeGreaterThan(0.9 * (bytes / 4096) * 1000);
});

test('a proxy whose address has a path, or that speaks no HTTP, is refused when it is set', async () => {
  for (const proxy of ['http://proxy.example:3128/path', 'ftp://proxy.example', 'proxy.example:3128'])
    expect((await machine.update('config', 'proxy', proxy)).stderr).toContain('an address such as http://');
});

function withPlacedAuthority(create: TestMachine['createFetcher']): TestMachine['createFetcher'] {
  return (config) =>
    create!({
      ...config,
      ...(config.caFile === undefined ? {} : { caFile: machine.system.place(config.caFile) }),
    });
}
