/** An image in one tar file: `docker save` (manifest.json), with or without an OCI layout in it (index.json). Read where it lies. */
import { parseImageConfig } from '../../../../oci/manifest.ts';
import { SlipwayError } from '../../../../spec/error.ts';
import type { Architecture } from '../../../../spec/image.ts';
import { dirname, join, normalize } from '../../../../spec/posix-path.ts';
import type { System } from '../../../../system/system.ts';
import { digestOf, readRange } from './bytes.ts';
import { checkConfig, demandDigest, imageParts, type ImageParts } from './parts.ts';
import { tarMembers, type FileRange } from './tar.ts';

const MAX_MEMBERS = 5000;
const MAX_INDEX_BYTES = 4 * 1024 * 1024;

/** `archive`: uncompressed. `where`: its name, for messages. */
export async function openArchive(
  system: System,
  archive: FileRange,
  architecture: Architecture,
  where: string,
): Promise<ImageParts> {
  const find = members(system, archive, where);
  const demand = (name: string): FileRange => {
    const found = find(name);
    if (found === undefined)
      throw new SlipwayError('oci.not-found', `${where}: ${name} is missing in the archive`);
    return found;
  };
  // Newer `docker save` writes both; the layout has digests for everything.
  const layout = find('index.json');
  if (layout !== undefined) {
    const blob = async ({ digest }: { digest: string }): Promise<FileRange> => {
      const range = demand(`blobs/${digest.replace(':', '/')}`);
      await demandDigest(system, range, digest, where);
      return range;
    };
    return imageParts(system, document(system, layout, where), blob, architecture, where);
  }
  const manifest = find('manifest.json');
  if (manifest === undefined) {
    throw new SlipwayError('oci.not-found', `${where}: neither a docker-archive nor an OCI layout in a tar`, {
      hint: 'write it with `docker save IMAGE -o image.tar`',
    });
  }
  const image = dockerManifest(document(system, manifest, where), where);
  const config = demand(image.config);
  const parsed = parseImageConfig(document(system, config, where), where);
  checkConfig(parsed, image.layers.length, architecture, where);
  return {
    id: await digestOf(system, config),
    config: parsed,
    layers: image.layers.map((name, place) => ({
      diffId: parsed.diffIds[place] ?? '',
      fetch: () => Promise.resolve(demand(name)),
    })),
  };
}

/** Members by name, links of older `docker save` (equal layers: ../<other layer>/layer.tar) followed. */
function members(system: System, archive: FileRange, where: string): (name: string) => FileRange | undefined {
  const index = new Map<string, FileRange | string>();
  const fd = system.open(archive.path, { access: 'read' });
  if (fd < 0) throw new SlipwayError('oci.not-found', `${where} cannot be read`);
  try {
    const first = system.readAt(fd, archive.offset + 257, 5);
    if (first === 'failed' || system.decode(first) !== 'ustar')
      throw new SlipwayError('oci.invalid', `${where}: not a tar archive`);
    for (const member of tarMembers(system, fd, archive)) {
      if (index.size >= MAX_MEMBERS)
        throw new SlipwayError('oci.invalid', `${where}: too many files for an image`);
      const name = normalize(member.name);
      const { offset, sizeBytes } = member;
      if (member.type === 'file') index.set(name, { path: archive.path, offset, sizeBytes });
      if (member.type === 'symlink') index.set(name, join(dirname(name), member.target));
      if (member.type === 'hardlink') index.set(name, normalize(member.target));
    }
  } finally {
    system.close(fd);
  }
  return (name) => {
    let found = index.get(normalize(name));
    for (let links = 0; typeof found === 'string' && links < 8; links++) found = index.get(found);
    return typeof found === 'string' ? undefined : found;
  };
}

function document(system: System, range: FileRange, where: string): string {
  if (range.sizeBytes > MAX_INDEX_BYTES)
    throw new SlipwayError('oci.invalid', `${where}: a document in it is too large`);
  return readRange(system, range);
}

function dockerManifest(text: string, where: string): { config: string; layers: readonly string[] } {
  const wrong = new SlipwayError('oci.invalid', `${where}: manifest.json is not docker-archive's`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw wrong;
  }
  if (!Array.isArray(json) || json.length === 0) throw wrong;
  if (json.length > 1)
    throw new SlipwayError('oci.ambiguous', `${where} holds several images`, {
      hint: 'save one image alone',
    });
  const { Config: config, Layers: layers } = json[0] as { Config?: unknown; Layers?: unknown };
  const names = Array.isArray(layers) ? layers.filter((name) => typeof name === 'string') : [];
  if (typeof config !== 'string' || !Array.isArray(layers) || names.length !== layers.length) throw wrong;
  return { config, layers: names };
}
