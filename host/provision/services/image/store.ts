/**
 * Images that were unpacked on the state partition, by the digest of their configuration. A directory with its final name is whole: it was made
 * under another one, flushed, and renamed. Which of them somebody uses is told by the bundles; the rest goes (collect.ts).
 *
 * `<id>/image.json`, `<id>/rootfs/`; `.work/` is empty between two runs; `.blobs/` holds what was fetched for an image that is not whole yet.
 */
import type { ImageConfig } from '../../../../oci/image-config.ts';
import { SlipwayError } from '../../../../spec/error.ts';
import type { System } from '../../../../system/system.ts';
import { demand, umaskOf } from './attributes.ts';
import { uncompressed } from './bytes.ts';
import type { DiskGuard } from './disk.ts';
import { applyLayer, removeTree } from './layer.ts';
import { demandDigest, type ImageParts } from './parts.ts';

export interface StoredImage {
  readonly id: string;
  /** Its root file system. */
  readonly root: string;
  readonly config: ImageConfig;
  /** What was asked for when it came: `registry/repository:tag`, an archive's `path size mtime`. */
  readonly references: readonly string[];
}

export interface ImageStore {
  readonly system: System;
  /** `/var/lib/slipway/images`. */
  readonly directory: string;
  readonly guard: DiskGuard;
}

/** Of one image, all layers together. */
export const IMAGE_LIMITS = { uncompressedBytes: 4 * 1024 ** 3, entries: 300_000 } as const;

interface ImageRecord {
  readonly format: '1.0';
  readonly config: ImageConfig;
  readonly references: readonly string[];
}

/** Every image that is whole. What cannot be read is none. */
export function storedImages({ system, directory }: ImageStore): readonly StoredImage[] {
  return system.list(directory).flatMap((name) => {
    if (!/^[0-9a-f]{64}$/.test(name)) return [];
    const record = readRecord(system.readText(`${directory}/${name}/image.json`));
    const root = `${directory}/${name}/rootfs`;
    if (record === undefined || system.linkStatus(root)?.kind !== 'directory') return [];
    return [{ id: `sha256:${name}`, root, config: record.config, references: record.references }];
  });
}

/** Unpacks an image, unless it is there; `reference` is remembered with it either way. */
export async function storeImage(
  store: ImageStore,
  parts: ImageParts,
  reference: string,
): Promise<StoredImage> {
  const { system, directory, guard } = store;
  const final = `${directory}/${parts.id.slice('sha256:'.length)}`;
  const before = storedImages(store).find(({ id }) => id === parts.id);
  if (before !== undefined) return remember(store, before, reference);
  const work = emptyWork(store);
  const root = `${work}/image/rootfs`;
  if (!system.makeDirectory(root, 0o755)) throw guard.failed(root);
  const umask = umaskOf(system, work);
  const limit = { bytes: IMAGE_LIMITS.uncompressedBytes };
  const limits = { entries: IMAGE_LIMITS.entries };
  try {
    for (const layer of parts.layers) {
      const tar = await uncompressed(system, await layer.fetch(), `${work}/layer.tar`, { guard, limit });
      await demandDigest(system, tar, layer.diffId, 'image layer');
      await applyLayer(system, tar, root, { guard, limits, umask });
      system.remove(`${work}/layer.tar`);
    }
    writeRecord(store, `${work}/image`, { format: '1.0', config: parts.config, references: [reference] });
    // Everything below it, before it gets the name by which it is believed.
    await demand(system, ['busybox', 'sync', '-f', root]);
    removeTree(system, final);
    if (!system.rename(`${work}/image`, final)) throw guard.failed(final);
    await demand(system, ['busybox', 'sync', directory]);
  } finally {
    removeTree(system, work);
  }
  return { id: parts.id, root: `${final}/rootfs`, config: parts.config, references: [reference] };
}

/** A directory for what is being made. */
export function emptyWork({ system, directory, guard }: ImageStore): string {
  const work = `${directory}/.work`;
  removeTree(system, work);
  if (!system.makeDirectory(directory, 0o700) || !system.makeDirectory(work, 0o700)) throw guard.failed(work);
  return work;
}

/** A tag moves: whoever had it before loses it. */
export function remember(store: ImageStore, image: StoredImage, reference: string): StoredImage {
  for (const other of storedImages(store)) {
    if (other.id === image.id || !other.references.includes(reference)) continue;
    const references = other.references.filter((one) => one !== reference);
    writeRecord(store, dirOf(store, other), { format: '1.0', config: other.config, references });
  }
  if (image.references.includes(reference)) return image;
  const references = [...image.references, reference];
  writeRecord(store, dirOf(store, image), { format: '1.0', config: image.config, references });
  return { ...image, references };
}

function dirOf({ directory }: ImageStore, { id }: StoredImage): string {
  return `${directory}/${id.slice('sha256:'.length)}`;
}

function writeRecord({ system, guard }: ImageStore, directory: string, record: ImageRecord): void {
  try {
    system.writeText(`${directory}/image.json`, `${JSON.stringify(record)}\n`, 0o600);
  } catch (error) {
    throw new SlipwayError('services.write', guard.failed(directory).message, { cause: error });
  }
}

/** The state partition is not to be believed: anything but what we wrote counts as nothing. */
function readRecord(text: string | undefined): ImageRecord | undefined {
  try {
    const record = JSON.parse(text ?? '') as ImageRecord;
    const { config, references } = record;
    const isTexts = (value: unknown): boolean =>
      Array.isArray(value) && value.every((item) => typeof item === 'string');
    const isTextMap = (value: unknown): boolean =>
      typeof value === 'object' &&
      value !== null &&
      Object.values(value).every((item) => typeof item === 'string');
    const isText = (value: unknown): boolean => value === undefined || typeof value === 'string';
    const good =
      record.format === '1.0' &&
      isTexts(references) &&
      [config.entrypoint, config.command].every((value) => value === undefined || isTexts(value)) &&
      [config.environment, config.labels].every(isTextMap) &&
      [config.user, config.workingDir, config.stopSignal].every(isText);
    return good ? record : undefined;
  } catch {
    return undefined;
  }
}
