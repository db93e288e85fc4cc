/** The root file system as an OCI image (OCI image-spec 1.1) of one layer, in a tar: for scanners, registries and a look around. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { pack, type Pack } from 'tar-stream';
import type { Architecture } from '../../spec/image.ts';
import { temporaryName } from '../cache/directory.ts';
import { readErofs, type ErofsEntry } from '../erofs/read.ts';
import { withFile } from '../inspect/source.ts';
import { gzipStream } from './gzip.ts';
import { writeOutput } from './output.ts';

export interface OciOptions {
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture;
  readonly rootHash: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

const MEDIA = 'application/vnd.oci.image';

/** `rootPath`: an uncompressed EROFS. */
export async function writeOciArchive(rootPath: string, output: string, options: OciOptions): Promise<void> {
  const layer = temporaryName(output);
  const created = new Date(options.epoch * 1000).toISOString();
  try {
    const { digest, diffId } = await writeLayer(rootPath, layer, options.epoch);
    const labels = {
      'org.opencontainers.image.title': options.name,
      'org.opencontainers.image.version': options.version,
      'org.opencontainers.image.created': created,
      'org.slipway.root-hash': options.rootHash,
    };
    const config = document({
      created,
      architecture: options.architecture,
      os: 'linux',
      config: { Labels: labels, Env: ['PATH=/usr/sbin:/usr/bin'] },
      rootfs: { type: 'layers', diff_ids: [diffId] },
      history: [{ created, created_by: `slipway ${options.name} ${options.version}` }],
    });
    const manifest = document({
      schemaVersion: 2,
      mediaType: `${MEDIA}.manifest.v1+json`,
      config: descriptor('config.v1+json', config),
      layers: [{ mediaType: `${MEDIA}.layer.v1.tar+gzip`, digest, size: (await stat(layer)).size }],
      annotations: labels,
    });
    const index = document({
      schemaVersion: 2,
      mediaType: `${MEDIA}.index.v1+json`,
      manifests: [
        {
          ...descriptor('manifest.v1+json', manifest),
          platform: { architecture: options.architecture, os: 'linux' },
          annotations: { 'org.opencontainers.image.ref.name': options.version },
        },
      ],
    });
    await writeArchive(output, options.epoch, [
      ['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
      ['index.json', index],
      [blobName(sha256(manifest)), manifest],
      [blobName(sha256(config)), config],
      [blobName(digest), layer],
    ]);
  } finally {
    await rm(layer, { force: true });
  }
}

async function writeLayer(
  rootPath: string,
  output: string,
  epoch: number,
): Promise<{ digest: string; diffId: string }> {
  const packed = createHash('sha256');
  const plain = createHash('sha256');
  await writeOutput(output, (file) =>
    withFile(rootPath, async (source) => {
      const gzip = gzipStream(async (bytes) => {
        packed.update(bytes);
        await file.append(bytes);
      });
      const root = await readErofs(source);
      await writeTar(
        async (tar) => {
          for await (const entry of root.entries()) {
            if (entry.path !== '/') await addEntry(tar, entry, epoch);
          }
        },
        async (bytes) => {
          plain.update(bytes);
          await gzip.push(bytes);
        },
      );
      await gzip.end();
    }),
  );
  return { digest: `sha256:${packed.digest('hex')}`, diffId: `sha256:${plain.digest('hex')}` };
}

/** `fill` adds entries; what the archive consists of goes to `write` at its own pace. */
async function writeTar(
  fill: (tar: Pack) => Promise<void>,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const tar = pack();
  const written = (async () => {
    for await (const bytes of tar as AsyncIterable<Uint8Array>) await write(bytes);
  })();
  await Promise.race([fill(tar), written]);
  tar.finalize();
  await written;
}

async function addEntry(tar: Pack, entry: ErofsEntry, epoch: number): Promise<void> {
  const { path, mode, uid, gid } = entry;
  const header = { name: path.slice(1), mode, uid, gid, mtime: new Date(epoch * 1000), uname: '', gname: '' };
  switch (entry.type) {
    case 'file':
      return put(tar, { ...header, type: 'file', size: entry.sizeBytes }, await entry.read());
    case 'directory':
      return put(tar, { ...header, name: `${header.name}/`, type: 'directory' });
    case 'symlink':
      return put(tar, { ...header, type: 'symlink', linkname: entry.target });
    case 'hardlink':
      return put(tar, { ...header, type: 'link', linkname: entry.target.slice(1) });
  }
}

function put(tar: Pack, header: Parameters<Pack['entry']>[0], bytes?: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const sink = tar.entry(header, (error) => (error ? reject(error) : resolve()));
    if (bytes !== undefined) sink.end(bytes);
  });
}

/** Members are bytes, or the name of a file that holds them. */
async function writeArchive(
  output: string,
  epoch: number,
  members: readonly (readonly [string, Uint8Array | string])[],
): Promise<void> {
  await writeOutput(output, (file) =>
    writeTar(
      async (tar) => {
        const header = { mode: 0o644, uid: 0, gid: 0, mtime: new Date(epoch * 1000) };
        for (const [name, content] of members) {
          if (typeof content !== 'string') {
            await put(tar, { name, size: content.length, ...header }, content);
            continue;
          }
          await new Promise<void>((resolve, reject) => {
            void stat(content).then(({ size }) => {
              const sink = tar.entry({ name, size, ...header }, (error) =>
                error ? reject(error) : resolve(),
              );
              createReadStream(content).on('error', reject).pipe(sink);
            }, reject);
          });
        }
      },
      (bytes) => file.append(bytes),
    ),
  );
}

function document(content: unknown): Buffer {
  return Buffer.from(JSON.stringify(content));
}

function descriptor(
  type: string,
  content: Uint8Array,
): { readonly mediaType: string; readonly digest: string; readonly size: number } {
  return { mediaType: `${MEDIA}.${type}`, digest: sha256(content), size: content.length };
}

function sha256(content: Uint8Array): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

function blobName(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`;
}
