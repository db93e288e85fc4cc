/** A real registry (Debian's docker-registry) on loopback, and pushing to it. */
import { spawn, spawnSync } from 'node:child_process';
import { createSign, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digest, type TestImage } from './image-files.ts';

/** The program; unpacked from Debian's package where it is not installed, since installing it would start a service. */
export function registryProgram(): string | undefined {
  if (spawnSync('docker-registry', ['--version']).error === undefined) return 'docker-registry';
  const folder = join(tmpdir(), `slipway-docker-registry-${process.getuid?.() ?? 0}`);
  const program = join(folder, 'usr/bin/docker-registry');
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    const fetched = spawnSync('apt-get', ['download', 'docker-registry'], { cwd: folder, encoding: 'utf8' });
    const [deb] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    if (deb === undefined || spawnSync('dpkg-deb', ['-x', join(folder, deb), folder]).status !== 0) {
      process.stdout.write(`skipped: no docker-registry here: ${fetched.stderr ?? 'apt-get is missing'}\n`);
      return undefined;
    }
  }
  return program;
}

export interface Registry {
  /** `127.0.0.1:<port>`. */
  readonly host: string;
  /** Blobs that were asked for, as the registry's log tells. */
  readonly requests: readonly string[];
  push(repository: string, tag: string, image: TestImage, index?: Buffer): Promise<void>;
  stop(): Promise<void>;
}

/** `token`: who pulls needs a token, which an authority beside it gives to anybody for pulling. */
export async function startRegistry(
  program: string,
  folder: string,
  access: 'open' | 'token',
): Promise<Registry> {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const authority = access === 'token' ? await startAuthority(folder) : undefined;
  const auth =
    authority === undefined
      ? ''
      : [
          'auth:',
          '  token:',
          `    realm: ${authority.realm}`,
          '    service: test-registry',
          '    issuer: test-authority',
          `    rootcertbundle: ${authority.certificate}`,
        ].join('\n');
  const config = `version: 0.1
log: {level: info, formatter: json}
storage: {filesystem: {rootdirectory: ${join(folder, 'data')}}}
http: {addr: 127.0.0.1:${port}}
${auth}
`;
  writeFileSync(join(folder, 'config.yml'), config);
  const child = spawn(program, ['serve', join(folder, 'config.yml')], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const requests: string[] = [];
  let log = '';
  const listen = (bytes: Buffer): void => {
    log += bytes.toString();
    for (const [, uri = ''] of bytes.toString().matchAll(/"GET (\S+) HTTP/g)) requests.push(uri);
  };
  child.stdout.on('data', listen);
  child.stderr.on('data', listen);
  const host = `127.0.0.1:${port}`;
  for (let attempt = 0; ; attempt++) {
    const up = await fetch(`http://${host}/v2/`).then(
      () => true,
      () => false,
    );
    if (up) break;
    if (attempt === 100) throw new Error(`docker-registry does not start: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    host,
    requests,
    push: (repository, tag, image, index) =>
      push(host, repository, tag, image, authority?.token(repository), index),
    stop: async () => {
      await authority?.stop();
      child.kill();
      await new Promise((resolve) => child.once('exit', resolve));
    },
  };
}

async function push(
  host: string,
  repository: string,
  tag: string,
  image: TestImage,
  token: string | undefined,
  index?: Buffer,
): Promise<void> {
  const base = `http://${host}/v2/${repository}`;
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  for (const blob of [image.config, ...image.layers.map((layer) => layer.blob)]) {
    const start = await fetch(`${base}/blobs/uploads/`, { method: 'POST', headers });
    const upload = new URL(start.headers.get('location') ?? '', base);
    upload.searchParams.set('digest', digest(blob));
    await expectCreated(fetch(upload, { method: 'PUT', headers, body: new Uint8Array(blob) }));
  }
  const manifest = (name: string, body: Buffer, kind: string): Promise<void> =>
    expectCreated(
      fetch(`${base}/manifests/${name}`, {
        method: 'PUT',
        headers: { ...headers, 'content-type': `application/vnd.oci.image.${kind}.v1+json` },
        body: new Uint8Array(body),
      }),
    );
  await manifest(index === undefined ? tag : digest(image.manifest), image.manifest, 'manifest');
  if (index !== undefined) await manifest(tag, index, 'index');
}

async function expectCreated(request: Promise<Response>): Promise<void> {
  const response = await request;
  if (response.status !== 201) throw new Error(`${response.status} ${await response.text()}`);
}

interface Authority {
  readonly realm: string;
  readonly certificate: string;
  token(repository: string): string;
  stop(): Promise<void>;
}

/** Speaks distribution's token protocol (docs: spec/auth/token, spec/auth/jwt). */
async function startAuthority(folder: string): Promise<Authority> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyFile = join(folder, 'key.pem');
  const certificate = join(folder, 'certificate.pem');
  writeFileSync(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    '-key',
    keyFile,
    '-subj',
    '/CN=test',
    '-out',
    certificate,
  ]);
  if (made.status !== 0) throw new Error(made.stderr.toString());
  const der = spawnSync('openssl', ['x509', '-in', certificate, '-outform', 'DER']).stdout.toString('base64');
  const server: Server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const [, repository = '', actions] = /^repository:([^:]+):(.*)$/.exec(query.get('scope') ?? '') ?? [];
    if (query.get('service') !== 'test-registry' || actions !== 'pull') {
      response.writeHead(400).end();
      return;
    }
    response.end(JSON.stringify({ token: signToken(privateKey, der, repository, ['pull']) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    realm: `http://127.0.0.1:${port}/token`,
    certificate,
    token: (repository) => signToken(privateKey, der, repository, ['pull', 'push']),
    stop: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function signToken(
  key: KeyObject,
  certificate: string,
  repository: string,
  actions: readonly string[],
): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = part({ typ: 'JWT', alg: 'RS256', x5c: [certificate] });
  const claims = part({
    iss: 'test-authority',
    aud: 'test-registry',
    sub: '',
    jti: 'x',
    iat: now,
    nbf: now - 10,
    exp: now + 300,
    access: [{ type: 'repository', name: repository, actions }],
  });
  const signature = createSign('RSA-SHA256').update(`${head}.${claims}`).sign(key).toString('base64url');
  return `${head}.${claims}.${signature}`;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createTcpServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
