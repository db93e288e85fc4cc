/** Writes OCI images for tests: layers from lists of entries, layouts, archives. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack, type Header } from 'tar-stream';

export type TarMember = Partial<Header> & { readonly name: string; readonly text?: string | Buffer };

/** Directories end in `/`; everything is root's, 0755 or 0644, unless told. */
export async function tar(members: readonly TarMember[]): Promise<Buffer> {
  const archive = pack();
  for (const { text, ...header } of members) {
    const directory = header.name.endsWith('/');
    const type =
      header.type ?? (directory ? 'directory' : header.linkname === undefined ? 'file' : 'symlink');
    archive.entry(
      { mode: directory ? 0o755 : 0o644, uid: 0, gid: 0, mtime: new Date(0), ...header, type },
      text ?? '',
    );
  }
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface TestImage {
  readonly config: Buffer;
  readonly layers: readonly { readonly tar: Buffer; readonly blob: Buffer; readonly mediaType: string }[];
  readonly manifest: Buffer;
}

export interface TestImageOptions {
  readonly architecture?: string;
  readonly config?: Record<string, unknown>;
  readonly compress?: (layer: Buffer) => Buffer;
  readonly mediaType?: string;
}

export async function testImage(
  layers: readonly (readonly TarMember[])[],
  options: TestImageOptions = {},
): Promise<TestImage> {
  const compress = options.compress ?? ((layer: Buffer) => gzipSync(layer, { level: 1 }));
  const mediaType = options.mediaType ?? 'application/vnd.oci.image.layer.v1.tar+gzip';
  const tars = await Promise.all(layers.map(tar));
  const built = tars.map((layer) => ({ tar: layer, blob: compress(layer), mediaType }));
  const config = json({
    architecture: options.architecture ?? 'amd64',
    os: 'linux',
    config: options.config ?? { Entrypoint: ['/usr/bin/webd'], Env: ['A=b=c', 'PATH=/usr/bin'], User: 'www' },
    rootfs: { type: 'layers', diff_ids: tars.map(digest) },
    history: tars.map(() => ({ created_by: 'test' })),
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor(config, 'application/vnd.oci.image.config.v1+json'),
    layers: built.map(({ blob }) => descriptor(blob, mediaType)),
  });
  return { config, layers: built, manifest };
}

/** With a platform on each entry of the index, unless there is one image only. */
export function writeLayout(
  folder: string,
  images: readonly (TestImage & { architecture?: string })[],
): void {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  for (const image of images) {
    for (const blob of [image.config, image.manifest, ...image.layers.map((layer) => layer.blob)]) {
      writeFileSync(join(folder, 'blobs', digest(blob).replace(':', '/')), blob);
    }
  }
  writeFileSync(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(folder, 'index.json'), imageIndex(images));
}

export function imageIndex(images: readonly (TestImage & { architecture?: string })[]): Buffer {
  return json({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: images.map((image) => ({
      ...descriptor(image.manifest, 'application/vnd.oci.image.manifest.v1+json'),
      ...(image.architecture === undefined
        ? {}
        : { platform: { os: 'linux', architecture: image.architecture } }),
    })),
  });
}

/** As `docker save` wrote it before version 25: one folder a layer. */
export async function dockerArchive(image: TestImage): Promise<Buffer> {
  const name = digest(image.config).slice('sha256:'.length);
  const layers = image.layers.map((layer) => `${digest(layer.tar).slice('sha256:'.length)}/layer.tar`);
  return tar([
    ...image.layers.map((layer, place) => ({ name: layers[place] ?? '', text: layer.tar })),
    { name: `${name}.json`, text: image.config.toString() },
    {
      name: 'manifest.json',
      text: JSON.stringify([{ Config: `${name}.json`, RepoTags: ['a:b'], Layers: layers }]),
    },
  ]);
}

export function digest(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function descriptor(bytes: Uint8Array, mediaType: string): Record<string, unknown> {
  return { mediaType, digest: digest(bytes), size: bytes.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
