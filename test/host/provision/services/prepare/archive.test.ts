import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { OciConfig } from '../../../../../oci/runtime-spec.ts';
import {
  dockerArchive,
  tar,
  testImage,
  writeLayout,
  type TarMember,
} from '../../../../builder/oci/image-files.ts';
import { scratch, type Scratch } from '../scratch.ts';

const isRoot = process.getuid?.() === 0;
const BASE: readonly TarMember[] = [
  { name: 'usr/bin/' },
  { name: 'usr/bin/webd', text: '#!web', mode: 0o755 },
  { name: 'bin', linkname: 'usr/bin' },
  { name: 'etc/' },
  { name: 'etc/passwd', text: 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/srv:/bin/sh\n' },
  { name: 'etc/group', text: 'www:x:34:\n' },
  { name: 'etc/hosts', text: 'old' },
];
// Archives must lie below /var for a service to name them.
const VAR = `/var/tmp/slipway-archives-${process.pid}`;

function archive(name: string, bytes: Buffer): string {
  mkdirSync(VAR, { recursive: true });
  writeFileSync(join(VAR, name), bytes);
  return join(VAR, name);
}

function bundleConfig(bundle: string): OciConfig {
  return JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8')) as OciConfig;
}

const images = (s: Scratch): readonly string[] => readdirSync(s.paths.images).sort();

describe.skipIf(!isRoot)('a service out of an archive', () => {
  test('becomes a bundle: its root unpacked once, its own files and mount points laid over it', async () => {
    const s = scratch();
    const path = archive(
      'a.tar',
      await dockerArchive(await testImage([BASE, [{ name: 'etc/more', text: 'm' }]])),
    );
    const yaml = `web:
  image: ${path}
  network_mode: host
  volumes: [data:/data/deep]
  x-slipway:
    files: [{ path: /bin/../etc/app.conf, content: "hello\\n", mode: '0640', uid: 33, gid: 34 }]`.replace(
      '/bin/../etc',
      '/etc',
    );
    const { services, outcomes, diagnostics } = await s.prepare(yaml);
    expect(diagnostics).toEqual([]);
    expect(outcomes).toEqual([
      { name: 'web', at: { part: 'user-data', line: 2, column: 3 }, state: 'applied', reason: null },
    ]);
    const [web] = services;
    if (web === undefined) throw new Error('no service');
    expect(web).toMatchObject({
      name: 'web',
      writable: true,
      directories: [{ path: '/var/lib/slipway/volumes/data' }],
    });
    const config = bundleConfig(web.bundle);
    expect(config.process).toMatchObject({ args: ['/usr/bin/webd'], user: { uid: 33, gid: 34 } });
    expect(config.root).toEqual({ path: `${s.paths.overlays}/web/rootfs`, readonly: false });
    expect(config.annotations?.['run.oci.seccomp_bpf_data']).toBeDefined();
    const additions = join(web.bundle, 'additions');
    expect(readlinkSync(join(additions, 'etc/hosts'))).toBe('/run/etc/hosts');
    expect(readFileSync(join(additions, 'etc/app.conf'), 'utf8')).toBe('hello\n');
    const { mode, uid, gid } = lstatSync(join(additions, 'etc/app.conf'));
    expect([mode & 0o7777, uid, gid]).toEqual([0o640, 33, 34]);
    expect(statSync(join(additions, 'data/deep')).isDirectory()).toBe(true);
    const root = readlinkSync(join(web.bundle, 'rootfs'));
    expect(readFileSync(join(root, 'etc/more'), 'utf8')).toBe('m');
    expect(existsSync(join(root, 'data'))).toBe(false);

    // Again: nothing is done twice.
    const before = statSync(root).ctimeMs;
    expect((await s.prepare(yaml)).services).toEqual(services);
    expect(statSync(root).ctimeMs).toBe(before);
    expect(s.log).toEqual([`services: web: unpacking ${path}`]);
    // Nor when the archive is gone.
    rmSync(path);
    expect((await s.prepare(yaml)).services).toEqual(services);
  });

  test.each<[string, (image: Awaited<ReturnType<typeof testImage>>) => Promise<Buffer>]>([
    ['a docker-archive, compressed', async (image) => gzipSync(await dockerArchive(image))],
    ['an OCI layout with gzip layers', (image) => layoutTar(image)],
  ])('%s', async (_what, write) => {
    const s = scratch();
    const path = archive('b.tar', await write(await testImage([BASE])));
    const { services, outcomes } = await s.prepare(`web:\n  image: ${path}`);
    expect(outcomes[0]?.reason).toBeNull();
    expect(services).toHaveLength(1);
    expect(images(s)).toHaveLength(1);
  });

  test('layers of zstd', async () => {
    const s = scratch();
    const compress = (layer: Buffer): Buffer => execFileSync('zstd', ['-qc'], { input: layer });
    const image = await testImage([BASE], {
      compress,
      mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
    });
    const path = archive('z.tar', await layoutTar(image));
    expect((await s.prepare(`web:\n  image: ${path}`)).outcomes[0]?.reason).toBeNull();
  });

  test('of a service of the image: its root as it is, with a command of one’s own', async () => {
    const s = scratch();
    const { services, outcomes } = await s.prepare(
      `a:\n  image: service:ssh\n  command: [tool]\nb:\n  image: service:ssh`,
    );
    expect(outcomes.map(({ state, reason }) => [state, reason])).toEqual([
      ['applied', null],
      ['failed', 'service b: nothing to run'],
    ]);
    expect(readlinkSync(join(services[0]?.bundle ?? '', 'rootfs'))).toBe(
      join(s.paths.containers, 'ssh/rootfs'),
    );
    expect(images(s)).toEqual([]);
  });

  test('what no service needs any more goes, but not while it runs', async () => {
    const s = scratch();
    const one = archive('one.tar', await dockerArchive(await testImage([BASE])));
    const two = archive(
      'two.tar',
      await dockerArchive(await testImage([BASE, [{ name: 'two', text: '2' }]])),
    );
    const first = await s.prepare(`web:\n  image: ${one}`);
    const inUse = first.services.map(({ bundle }) => bundle);
    const second = await s.prepare(`web:\n  image: ${two}`, { inUse });
    expect(images(s)).toHaveLength(2);
    expect(existsSync(inUse[0] ?? '')).toBe(true);
    await s.prepare(`web:\n  image: ${two}`, { inUse: second.services.map(({ bundle }) => bundle) });
    expect(images(s)).toHaveLength(1);
    expect(existsSync(inUse[0] ?? '')).toBe(false);
    await s.prepare('');
    expect(images(s)).toEqual([]);
    expect(readdirSync(s.paths.bundles)).toEqual([]);
  });

  test('one that cannot be had leaves the others, but for those that need it', async () => {
    const s = scratch();
    const { services, outcomes } = await s.prepare(`a:
  image: /var/nothing.tar
b:
  image: service:ssh
  command: [tool]
c:
  image: service:ssh
  command: [tool]
  depends_on: [a]`);
    expect(services.map(({ name }) => name)).toEqual(['b']);
    expect(outcomes.map(({ name, state, reason }) => [name, state, reason])).toEqual([
      ['a', 'failed', 'there is no file /var/nothing.tar'],
      ['b', 'applied', null],
      ['c', 'failed', "it needs 'a', which is not there"],
    ]);
  });

  test.each<[string, () => Promise<Buffer>, RegExp]>([
    ['not a tar', () => Promise.resolve(Buffer.alloc(3000, 'x')), /not a tar archive/],
    [
      'a tar of something else',
      () => tar([{ name: 'a', text: 'b' }]),
      /neither a docker-archive nor an OCI layout/,
    ],
    [
      'of another architecture',
      async () => dockerArchive(await testImage([BASE], { architecture: 'arm64' })),
      /is for linux\/arm64/,
    ],
    ['a layer that is not what its digest says', async () => damaged(), /is not what its digest says/],
    [
      'a hostile layer',
      async () => dockerArchive(await testImage([[{ name: '../../etc/evil', text: 'x' }]])),
      /leads out of the image/,
    ],
    [
      'cut off',
      async () => (await dockerArchive(await testImage([BASE]))).subarray(0, 4000),
      /ends early|is missing/,
    ],
  ])('%s: told, and nothing is left behind', async (_what, bytes, reason) => {
    const s = scratch();
    const { outcomes } = await s.prepare(`web:\n  image: ${archive('bad.tar', await bytes())}`);
    expect(outcomes[0]).toMatchObject({ state: 'failed' });
    expect(outcomes[0]?.reason).toMatch(reason);
    expect(images(s)).toEqual([]);
  });
});

describe.skipIf(!isRoot || !hasNamespaces())('the state partition', () => {
  test('is full: told, nothing half-written stays, what runs is not touched, and room is left for others', async () => {
    const directory = `/var/tmp/slipway-small-${process.pid}`;
    mkdirSync(directory, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'none', directory]);
    try {
      const s = scratch(directory);
      const small = archive('small.tar', await dockerArchive(await testImage([BASE])));
      const big = [...BASE, { name: 'big', text: Buffer.alloc(60 * 1024 * 1024, 'x') }];
      const large = archive('large.tar', await dockerArchive(await testImage([big])));
      const first = await s.prepare(`web:\n  image: ${small}`);
      const inUse = first.services.map(({ bundle }) => bundle);
      const before = readFileSync(join(inUse[0] ?? '', 'config.json'), 'utf8');
      const second = await s.prepare(`web:\n  image: ${large}`, { inUse });
      expect(second.outcomes[0]?.reason).toMatch(/^no room on the state partition for .*big/);
      expect(images(s)).toHaveLength(1);
      expect(readFileSync(join(inUse[0] ?? '', 'config.json'), 'utf8')).toBe(before);
      // What it must leave was never touched.
      expect((await s.prepare(`web:\n  image: ${small}`)).services).toEqual(first.services);
    } finally {
      execFileSync('umount', [directory]);
      rmSync(directory, { recursive: true });
    }
  });
});

function hasNamespaces(): boolean {
  const probe = '/var/tmp/slipway-mount-probe';
  mkdirSync(probe, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', 'none', probe]).status !== 0) return false;
  return spawnSync('umount', [probe]).status === 0;
}

function layoutTar(image: Awaited<ReturnType<typeof testImage>>): Promise<Buffer> {
  const folder = join(VAR, `layout-${Math.random()}`);
  mkdirSync(folder, { recursive: true });
  writeLayout(folder, [image]);
  return Promise.resolve(execFileSync('tar', ['-C', folder, '-c', '.'], { maxBuffer: 1e9 }));
}

async function damaged(): Promise<Buffer> {
  const image = await testImage([BASE]);
  const other = await testImage([[...BASE, { name: 'other', text: 'x' }]]);
  return dockerArchive({ ...image, layers: other.layers });
}
