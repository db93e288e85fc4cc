import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { objectName } from '../../../builder/debian/fetch.ts';
import { findLockedImage, lockedReference, resolveImages } from '../../../builder/lock/images.ts';
import type { LockFile } from '../../../builder/lock/lock-file.ts';
import { lockStaleness } from '../../../builder/lock/stale.ts';
import { vendorInputs } from '../../../builder/lock/vendor.ts';
import { run } from '../../../builder/process/run.ts';
import type { ImageDefinition } from '../../../spec/image.ts';
import type { ServiceDefinition } from '../../../spec/service.ts';
import { useSharedCache } from '../debian/cache.ts';
import { imageOf } from './image.ts';

const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let registry: Server;
/** By SHA-256. */
const blobs = new Map<string, Buffer>();
let manifest: string;

useSharedCache();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-images-'));
  await writeFile(join(folder, 'hello'), 'hello');
  const { stdout: layer } = await run(['tar', '--create', '--directory', folder, 'hello']);
  const configuration = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
  });
  const add = (
    content: Uint8Array | string,
    mediaType: string,
  ): { mediaType: string; digest: string; size: number } => {
    blobs.set(sha256(content), Buffer.from(content));
    return { mediaType, digest: `sha256:${sha256(content)}`, size: Buffer.byteLength(content) };
  };
  const document = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: add(configuration, 'application/vnd.oci.image.config.v1+json'),
    layers: [add(layer, 'application/vnd.oci.image.layer.v1.tar')],
  });
  const descriptor = add(document, 'application/vnd.oci.image.manifest.v1+json');
  manifest = descriptor.digest;

  const layout = join(folder, 'layout');
  await mkdir(join(layout, 'blobs/sha256'), { recursive: true });
  await writeFile(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  for (const [digest, bytes] of blobs) await writeFile(join(layout, 'blobs/sha256', digest), bytes);

  registry = createServer((request, response) => {
    const [, kind, name = ''] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(request.url ?? '') ?? [];
    const digest = name === '1.0' ? manifest : name;
    const bytes = blobs.get(digest.replace('sha256:', ''));
    if (bytes === undefined) return void response.writeHead(404).end();
    const type =
      kind === 'manifests' ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((done) => registry.listen(0, '127.0.0.1', done));
});
afterAll(async () => {
  registry.closeAllConnections();
  registry.close();
  await rm(folder, { recursive: true });
});

function imageWith(reference: string): ImageDefinition {
  const service = { root: { kind: 'image', reference } } as ServiceDefinition;
  return { ...imageOf({ file: join(folder, 'images/host.yaml') }), services: [service] };
}

function lockOf(images: LockFile['images']): LockFile {
  const requested = { packages: [], kernel: 'k', kernelResolved: 'k' };
  return {
    format: '1.0',
    architecture: 'amd64',
    suite: 'trixie',
    epoch: 1,
    requested,
    packages: [],
    tools: [],
    images,
  };
}

test('an image in a folder is locked by its digest, under a name that every checkout shares', async () => {
  const path = join(folder, 'layout');
  const image = imageWith(path);
  const images = await resolveImages(image);
  expect(images).toMatchObject([{ reference: '../layout', digest: manifest }]);
  const lock = lockOf(images);
  expect(findLockedImage(image, lock, path)?.digest).toBe(manifest);
  expect(lockStaleness(image, lock).filter((text) => text.startsWith('image'))).toEqual([]);
  expect(lockStaleness(image, lockOf([]))).toContain(`image ${path} is not locked`);
  expect(lockedReference(image, join(folder, 'images/app.tar'))).toBe('./app.tar');
});

test('an image in a registry is locked by what its tag means, and can be vendored whole', async () => {
  const { port } = registry.address() as AddressInfo;
  const reference = `127.0.0.1:${port}/app:1.0`;
  const images = await resolveImages(imageWith(reference));
  expect(images).toMatchObject([{ reference, digest: manifest }]);

  const vendor = join(folder, 'vendor');
  const result = await vendorInputs(lockOf(images), vendor, {
    mirrors: () => Promise.reject(new Error('asked')),
  });
  expect(result).toMatchObject({ inputs: 3, added: 3 });
  for (const [digest, bytes] of blobs)
    expect(await readFile(join(vendor, objectName(digest)))).toEqual(bytes);
});
