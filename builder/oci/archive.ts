/** An image in one tar file: `docker save` (manifest.json), with or without an OCI layout in it (index.json). */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { cachedDirectory } from '../cache/directory.ts';
import { isDiskFull } from '../debian/disk-full.ts';
import { parseImageConfig } from '../../oci/manifest.ts';
import { sha256Digest } from './digest.ts';
import { checkConfig, resolveParts, type ImageParts } from './source.ts';

/** A member: the number of its file in the cache, or the member that it is a link to. */
const members = z.record(
  z.string(),
  z.union([z.object({ file: z.number(), sizeBytes: z.number() }), z.object({ link: z.string() })]),
);
type Members = z.infer<typeof members>;

const dockerManifest = z
  .array(
    z.object({ Config: z.string(), Layers: z.array(z.string()), RepoTags: z.array(z.string()).nullish() }),
  )
  .min(1);

export async function openArchive(file: string, architecture: Architecture): Promise<ImageParts> {
  const directory = await unpackArchive(file);
  const index = members.parse(JSON.parse(await readFile(join(directory, 'members.json'), 'utf8')));
  const find = (name: string): { path: string; sizeBytes: number } | undefined => {
    let member = index[posix.normalize(name)];
    for (let links = 0; member !== undefined && 'link' in member && links < 8; links++)
      member = index[member.link];
    if (member === undefined || 'link' in member) return undefined;
    return { path: join(directory, String(member.file)), sizeBytes: member.sizeBytes };
  };
  const require = (name: string): { path: string; sizeBytes: number } => {
    const found = find(name);
    if (found === undefined)
      throw new SlipwayError('oci.not-found', `${file}: ${name} is missing in the archive`);
    return found;
  };

  // Newer `docker save` writes both; the layout has digests for everything.
  const layout = find('index.json');
  if (layout !== undefined) {
    const top = await readFile(layout.path);
    const blob = ({ digest }: { digest: string }): string =>
      require(`blobs/${digest.replace(':', '/')}`).path;
    return resolveParts(top, (descriptor) => Promise.resolve(blob(descriptor)), architecture, file);
  }
  const manifest = find('manifest.json');
  if (manifest === undefined) {
    throw new SlipwayError('oci.not-found', `${file}: neither a docker-archive nor an OCI layout in a tar`, {
      hint: 'write it with `docker save IMAGE -o image.tar`',
    });
  }
  return dockerParts(JSON.parse(await readFile(manifest.path, 'utf8')), require, architecture, file);
}

async function dockerParts(
  json: unknown,
  require: (name: string) => { path: string; sizeBytes: number },
  architecture: Architecture,
  file: string,
): Promise<ImageParts> {
  const parsed = dockerManifest.safeParse(json);
  if (!parsed.success)
    throw new SlipwayError('oci.invalid', `${file}: manifest.json is not docker-archive's`);
  const [image, second] = parsed.data;
  if (image === undefined || second !== undefined) {
    throw new SlipwayError('oci.ambiguous', `${file} holds several images`, { hint: 'save one image alone' });
  }
  const bytes = await readFile(require(image.Config).path);
  const config = parseImageConfig(bytes.toString('utf8'), file);
  checkConfig(config, image.Layers.length, architecture, file);
  const layers = image.Layers.map((name, place) => ({
    ...require(name),
    diffId: config.diffIds[place] ?? '',
  }));
  return { digest: sha256Digest(bytes), config, layers };
}

/** Once for each content. Members become numbered files: no name of the archive ever reaches the file system. */
async function unpackArchive(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash).catch((error: unknown) => {
    throw new SlipwayError('oci.not-found', `${file}: cannot be read`, { cause: error });
  });
  return cachedDirectory('archives', { version: 1, sha256: hash.digest('hex') }, async (directory) => {
    const index: Members = {};
    let count = 0;
    const archive = extract();
    const unpacked = (async () => {
      for await (const entry of archive) {
        const { name, type, linkname, size } = entry.header;
        const path = posix.normalize(name);
        if (type === 'file' || type === 'contiguous-file') {
          const number = count++;
          await pipeline(entry, createWriteStream(join(directory, String(number)), { flags: 'wx' }));
          index[path] = { file: number, sizeBytes: size ?? 0 };
        } else {
          // Older `docker save` links equal layers: ../<other layer>/layer.tar.
          if (type === 'symlink') index[path] = { link: posix.join(posix.dirname(path), linkname ?? '') };
          if (type === 'link') index[path] = { link: posix.normalize(linkname ?? '') };
          entry.resume();
        }
      }
    })();
    await Promise.all([pipeline(createReadStream(file), archive), unpacked]).catch((error: unknown) => {
      if (isDiskFull(error)) throw error;
      throw new SlipwayError('oci.invalid', `${file}: not a tar archive`, { cause: error });
    });
    await writeFile(join(directory, 'members.json'), JSON.stringify(index));
  });
}
