/** A tiny Debian archive for tests: packages made with dpkg-deb, signed with a key of its own, served on loopback with faults on demand. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { run } from '../../../builder/process/run.ts';

export interface PackageRecipe {
  readonly name: string;
  readonly version?: string;
  readonly section?: string;
  readonly architecture?: string;
  /** More control fields: Depends, Provides, Source, ... */
  readonly fields?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

export interface TestRepository {
  readonly folder: string;
  /** Base address for `SLIPWAY_MIRROR`. */
  readonly address: string;
  /** Armored public key. */
  readonly keys: string;
  /** What clients asked for: `GET /path`, with the range if any. */
  readonly requests: string[];
  /** Faults by path (below the archive): an HTTP status, or how many bytes are sent before the connection breaks, the first `times` times. */
  readonly faults: Map<string, { status: number } | { breakAfter: number; times: number }>;
  publish(suite: string, packages: readonly PackageRecipe[], architecture?: string): Promise<void>;
  close(): Promise<void>;
}

export async function startRepository(): Promise<TestRepository> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-archive-'));
  const home = join(folder, 'gnupg');
  await mkdir(home, { mode: 0o700 });
  const gpg = (...args: string[]): ReturnType<typeof run> =>
    run(['gpg', '--homedir', home, '--batch', '--quiet', '--yes', '--passphrase', '', ...args]);
  await gpg('--quick-generate-key', 'test archive <test@example.invalid>', 'ed25519', 'sign', 'never');
  const keys = (await gpg('--armor', '--export')).stdout.toString('utf8');

  const root = join(folder, 'archive');
  const requests: string[] = [];
  const faults: TestRepository['faults'] = new Map();
  const server = createServer((request, response) => {
    // A proxy is asked for whole addresses.
    const { pathname } = new URL(request.url ?? '/', 'http://archive.invalid');
    const path = decodeURIComponent(pathname).slice(1);
    const range = request.headers.range;
    requests.push(`${request.method} ${path}${range === undefined ? '' : ` ${range}`}`);
    const fault = faults.get(path);
    if (fault !== undefined && 'status' in fault) return void response.writeHead(fault.status).end();
    readFile(join(root, path)).then(
      (bytes) => {
        const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
        const body = bytes.subarray(from);
        response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length });
        if (fault === undefined || fault.times-- <= 0) return void response.end(body);
        response.write(body.subarray(0, fault.breakAfter), () => response.destroy());
      },
      () => response.writeHead(404).end(),
    );
  });
  await listen(server);
  const { port } = server.address() as AddressInfo;

  return {
    folder,
    address: `http://127.0.0.1:${port}`,
    keys,
    requests,
    faults,
    async publish(suite, packages, architecture = 'amd64') {
      const stanzas: string[] = [];
      for (const recipe of packages) stanzas.push(await poolPackage(root, recipe));
      const index = `main/binary-${architecture}/Packages`;
      const suiteFolder = join(root, 'dists', suite);
      await mkdir(dirname(join(suiteFolder, index)), { recursive: true });
      await writeFile(join(suiteFolder, index), stanzas.join('\n'));
      const release = [
        'Origin: test',
        `Suite: ${suite}`,
        `Codename: ${suite}`,
        `Architectures: ${architecture}`,
        'Components: main',
        'Date: Thu, 01 Jan 2026 00:00:00 UTC',
        'SHA256:',
        ` ${createHash('sha256').update(stanzas.join('\n')).digest('hex')} ${Buffer.byteLength(stanzas.join('\n'))} ${index}`,
        '',
      ].join('\n');
      await writeFile(join(suiteFolder, 'Release'), release);
      await gpg('--clearsign', '--output', join(suiteFolder, 'InRelease'), join(suiteFolder, 'Release'));
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await run(['gpgconf', '--homedir', home, '--kill', 'all']).catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Builds a .deb from a recipe into `folder`; returns its path. */
export async function buildPackage(folder: string, recipe: PackageRecipe): Promise<string> {
  const { name, version = '1.0', architecture = 'amd64' } = recipe;
  const tree = await mkdtemp(join(tmpdir(), 'slipway-package-'));
  try {
    await mkdir(join(tree, 'DEBIAN'));
    await writeFile(join(tree, 'DEBIAN/control'), controlText(recipe));
    for (const [path, content] of Object.entries(recipe.files ?? {})) {
      await mkdir(dirname(join(tree, path)), { recursive: true });
      await writeFile(join(tree, path), content);
    }
    await mkdir(folder, { recursive: true });
    const path = join(folder, `${name}_${version.replace(/^\d+:/, '')}_${architecture}.deb`);
    await run(['dpkg-deb', '--root-owner-group', '-Znone', '--build', tree, path]);
    return path;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

function controlText(recipe: PackageRecipe): string {
  const fields = {
    Package: recipe.name,
    Version: recipe.version ?? '1.0',
    Architecture: recipe.architecture ?? 'amd64',
    Section: recipe.section ?? 'admin',
    Maintainer: 'Test <test@example.invalid>',
    Description: 'made by a test',
    ...recipe.fields,
  };
  return Object.entries(fields)
    .map(([key, value]) => `${key}: ${value}\n`)
    .join('');
}

async function poolPackage(root: string, recipe: PackageRecipe): Promise<string> {
  const path = await buildPackage(join(root, 'pool', recipe.name), recipe);
  const bytes = await readFile(path);
  return [
    controlText(recipe).trimEnd(),
    `Filename: pool/${recipe.name}/${basename(path)}`,
    `Size: ${bytes.length}`,
    `SHA256: ${createHash('sha256').update(bytes).digest('hex')}`,
    '',
  ].join('\n');
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
}
