import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openImage, resolveImage, type OciImage } from '../../../builder/oci/image.ts';
import { digest, dockerArchive, tar, testImage, writeLayout, type TarMember } from './image-files.ts';

let scratch: string;
let count = 0;
const before = process.env['SLIPWAY_CACHE'];
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-oci-'));
  process.env['SLIPWAY_CACHE'] = join(scratch, 'cache');
});
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
  if (before === undefined) delete process.env['SLIPWAY_CACHE'];
  else process.env['SLIPWAY_CACHE'] = before;
});

const LAYERS: readonly (readonly TarMember[])[] = [
  [
    { name: './' },
    { name: './usr/' },
    { name: './usr/bin/', mode: 0o755 },
    { name: './usr/bin/webd', text: '#!/bin/sh\n', mode: 0o4755, uid: 7, gid: 8 },
    { name: './bin', linkname: 'usr/bin' },
    { name: './old', text: 'old' },
  ],
  [
    { name: 'bin/tool', text: 'tool' },
    { name: '.wh.old', text: '' },
    { name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3 },
    { name: 'usr/bin/again', type: 'link', linkname: 'usr/bin/webd' },
    { name: `long/${'n'.repeat(120)}/${'m'.repeat(120)}`, text: 'long' },
  ],
];
const EXPECTED = [
  '/bin -> usr/bin',
  `/long/${'n'.repeat(120)}/${'m'.repeat(120)} 644 0:0 "long"`,
  '/usr/bin/again 4755 7:8 "#!/bin/sh\\n"',
  '/usr/bin/tool 644 0:0 "tool"',
  '/usr/bin/webd 4755 7:8 "#!/bin/sh\\n"',
];

describe('an image is the same, whatever form it comes in', () => {
  test('OCI layout, gzip', async () => {
    const image = await testImage(LAYERS);
    const folder = place('layout');
    writeLayout(folder, [image]);
    const opened = await open(folder);
    expect(listing(opened)).toEqual(EXPECTED);
    expect(opened.digest).toBe(digest(image.manifest));
    expect(opened.config).toMatchObject({
      entrypoint: ['/usr/bin/webd'],
      environment: { A: 'b=c', PATH: '/usr/bin' },
      user: 'www',
    });
    expect(await resolveImage(folder, { architecture: 'amd64' })).toEqual({
      digest: digest(image.manifest),
      sizeBytes: image.layers.reduce((sum, { blob }) => sum + blob.length, 0),
    });
  });

  test.skipIf(missing('zstd'))('OCI layout, zstd', async () => {
    const compress = (layer: Buffer): Buffer => execFileSync('zstd', ['-q', '-c'], { input: layer });
    const image = await testImage(LAYERS, {
      compress,
      mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
    });
    const folder = place('zstd');
    writeLayout(folder, [image]);
    expect(listing(await open(folder))).toEqual(EXPECTED);
  });

  test('OCI layout, uncompressed, of two architectures', async () => {
    const plain = {
      compress: (layer: Buffer): Buffer => layer,
      mediaType: 'application/vnd.oci.image.layer.v1.tar',
    };
    const folder = place('two');
    writeLayout(folder, [
      {
        ...(await testImage([[{ name: 'arm', text: '' }]], { ...plain, architecture: 'arm64' })),
        architecture: 'arm64',
      },
      { ...(await testImage(LAYERS, plain)), architecture: 'amd64' },
    ]);
    expect(listing(await open(folder))).toEqual(EXPECTED);
  });

  test('docker save, old form', async () => {
    const image = await testImage(LAYERS);
    const file = place('old.tar');
    writeFileSync(file, await dockerArchive(image));
    const opened = await open(file);
    expect(listing(opened)).toEqual(EXPECTED);
    expect(opened.digest).toBe(digest(image.config));
  });

  test('OCI layout in a tar', async () => {
    const folder = place('inner');
    writeLayout(folder, [await testImage(LAYERS)]);
    const file = place('oci.tar');
    execFileSync('tar', ['-cf', file, '-C', folder, '.']);
    expect(listing(await open(file))).toEqual(EXPECTED);
  });

  test.skipIf(missing('skopeo'))('docker-archive as skopeo writes it', async () => {
    const folder = place('for-skopeo');
    // skopeo's own reader refuses nothing of this; the name says whose archive it is.
    writeLayout(folder, [await testImage(LAYERS)]);
    const file = place('skopeo.tar');
    execFileSync('skopeo', [
      '--insecure-policy',
      'copy',
      '-q',
      `oci:${folder}`,
      `docker-archive:${file}:a/b:c`,
    ]);
    expect(listing(await open(file))).toEqual(EXPECTED);
  });
});

test.skipIf(missing('umoci') || process.getuid?.() !== 0)('umoci unpacks the same files', async () => {
  const folder = place('for-umoci');
  const layers = LAYERS.map((layer) => layer.filter(({ type }) => type !== 'character-device'));
  writeLayout(folder, [await testImage(layers)]);
  const index = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
    manifests: Record<string, unknown>[];
  };
  for (const manifest of index.manifests)
    manifest['annotations'] = { 'org.opencontainers.image.ref.name': 'x' };
  writeFileSync(join(folder, 'index.json'), JSON.stringify(index));
  const target = place('unpacked');
  execFileSync('umoci', ['raw', 'unpack', '--image', `${folder}:x`, target]);
  expect(unpackedListing(target)).toEqual(listing(await open(folder)));
});

describe('refused', () => {
  test.each<[string, TarMember]>([
    ['a path out of the image', { name: '../../etc/passwd', text: 'x' }],
    ['a path through ..', { name: 'a/../../b', text: 'x' }],
    ['a hard link out of the image', { name: 'a', type: 'link', linkname: '../../etc/shadow' }],
    ['a device node', { name: 'disk', type: 'block-device', devmajor: 8, devminor: 0 }],
    ['a name too long for a file', { name: 'n'.repeat(256), text: 'x' }],
    ['a line feed in a name', { name: 'a\nb', text: 'x' }],
  ])('%s', async (_what, member) => {
    const folder = place('hostile');
    writeLayout(folder, [await testImage([[member]])]);
    await expect(open(folder)).rejects.toMatchObject({ code: 'oci.hostile-layer' });
  });

  test('a layer that is not what its digest says', async () => {
    // Its own contents: what another test unpacked would come from the cache, unharmed.
    const image = await testImage([...LAYERS, [{ name: 'good', text: 'x' }]]);
    const folder = place('changed');
    writeLayout(folder, [image]);
    const blob = digest(image.layers[2]?.blob ?? Buffer.alloc(0)).replace(':', '/');
    writeFileSync(join(folder, 'blobs', blob), gzipSync(await tar([{ name: 'evil', text: 'x' }])));
    await expect(open(folder)).rejects.toMatchObject({ code: 'oci.digest' });
    // And nothing of it stays in the cache.
    writeFileSync(join(folder, 'blobs', blob), image.layers[2]?.blob ?? Buffer.alloc(0));
    expect(listing(await open(folder))).toContain('/good 644 0:0 "x"');
  });

  test('a layer whose contents are not what the configuration says', async () => {
    const image = await testImage([[{ name: 'a', text: 'x' }]]);
    const other = await testImage([[{ name: 'a', text: 'y' }]]);
    const folder = place('diffid');
    const swapped = JSON.parse(image.manifest.toString()) as { layers: unknown };
    swapped.layers = (JSON.parse(other.manifest.toString()) as { layers: unknown }).layers;
    writeLayout(folder, [other, { ...image, manifest: Buffer.from(JSON.stringify(swapped)) }].slice(1));
    writeLayout(folder, [{ ...image, layers: other.layers, manifest: Buffer.from(JSON.stringify(swapped)) }]);
    await expect(open(folder)).rejects.toMatchObject({ code: 'oci.digest' });
  });

  test('a damaged gzip stream', async () => {
    const folder = place('gzip');
    const compress = (layer: Buffer): Buffer => gzipSync(layer).subarray(0, 40);
    writeLayout(folder, [await testImage(LAYERS, { compress })]);
    await expect(open(folder)).rejects.toMatchObject({ code: 'oci.invalid' });
  });

  test('another architecture', async () => {
    const folder = place('arm');
    writeLayout(folder, [{ ...(await testImage(LAYERS, { architecture: 'arm64' })), architecture: 'arm64' }]);
    await expect(open(folder)).rejects.toMatchObject({ code: 'oci.platform', hint: 'it holds: linux/arm64' });
  });

  test('an image that is not the locked one', async () => {
    const folder = place('locked');
    writeLayout(folder, [await testImage(LAYERS)]);
    const locked = open(folder, digest(Buffer.from('another')));
    await expect(locked).rejects.toMatchObject({ code: 'oci.changed' });
  });

  test.each([
    ['a short name, which every registry may read otherwise', 'alpine:3', 'oci.reference'],
    ['an upper-case repository', 'registry.example/Alpine', 'oci.reference'],
    ['a path where nothing is', '/nowhere/at/all', 'oci.not-found'],
  ])('%s', async (_what, reference, code) => {
    await expect(open(reference)).rejects.toMatchObject({ code });
  });

  test('a folder and a tar that hold no image', async () => {
    const folder = place('empty');
    mkdirSync(folder);
    await expect(open(folder)).rejects.toMatchObject({ code: 'oci.not-found' });
    const file = place('no.tar');
    writeFileSync(file, await tar([{ name: 'a', text: 'b' }]));
    await expect(open(file)).rejects.toMatchObject({ code: 'oci.not-found' });
  });
});

test.skipIf(process.getuid?.() !== 0)('a full disk is told as one, and leaves nothing behind', async () => {
  const folder = place('full');
  const noise = randomBytes(1 << 20).toString('latin1');
  writeLayout(folder, [await testImage([[{ name: 'big', text: Buffer.from(noise, 'latin1') }]])]);
  const small = place('small-disk');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', small]);
  const cache = process.env['SLIPWAY_CACHE'];
  try {
    process.env['SLIPWAY_CACHE'] = small;
    await expect(open(folder)).rejects.toMatchObject({ code: 'cache.disk-full' });
    expect(readdirSync(join(small, 'layers'))).toEqual([]);
  } finally {
    process.env['SLIPWAY_CACHE'] = cache;
    execFileSync('umount', [small]);
  }
});

test('two builds at once in one cache are both right', async () => {
  const folder = place('twice');
  writeLayout(folder, [await testImage([[{ name: 'twice', text: 'x' }]])]);
  const [one, two] = await Promise.all([open(folder), open(folder)]);
  expect(listing(one)).toEqual(['/twice 644 0:0 "x"']);
  expect(one.entries).toEqual(two.entries);
});

test('nothing is written outside the cache', () => {
  expect(readdirSync(join(scratch, 'cache')).sort()).toEqual(['archives', 'layers']);
});

function open(reference: string, locked?: string): Promise<OciImage> {
  return openImage(reference, {
    architecture: 'amd64',
    component: 'service:web',
    zstd: () => Promise.resolve(['zstd']),
    ...(locked === undefined ? {} : { digest: locked }),
  });
}

function place(name: string): string {
  return join(scratch, `${count++}-${name}`);
}

/** Everything but directories. */
function listing(image: OciImage): readonly string[] {
  return image.entries.flatMap((entry) => {
    if (entry.type === 'symlink') return [`${entry.path} -> ${entry.target}`];
    if (entry.type !== 'file' || entry.source.kind !== 'path') return [];
    const { path, offset, sizeBytes, sha256 } = entry.source;
    const bytes = readFileSync(path).subarray(offset, offset + sizeBytes);
    expect(digest(bytes)).toBe(`sha256:${sha256}`);
    return [
      `${entry.path} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} ${JSON.stringify(bytes.toString())}`,
    ];
  });
}

function unpackedListing(folder: string): readonly string[] {
  const found = execFileSync('find', [
    folder,
    '!',
    '-type',
    'd',
    '-printf',
    '%P\\t%y\\t%m\\t%U:%G\\t%l\\n',
  ]).toString();
  return found
    .trim()
    .split('\n')
    .map((line) => {
      const [path = '', type, mode, owner, target] = line.split('\t');
      if (type === 'l') return `/${path} -> ${target}`;
      return `/${path} ${mode} ${owner} ${JSON.stringify(readFileSync(join(folder, path)).toString())}`;
    })
    .sort((a, b) => ((a.split(' ')[0] ?? '') < (b.split(' ')[0] ?? '') ? -1 : 1));
}

function missing(program: string): boolean {
  const absent = spawnSync(program, ['--version']).error !== undefined;
  if (absent) process.stdout.write(`skipped: ${program} is not installed\n`);
  return absent;
}
