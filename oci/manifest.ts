/** The documents of an OCI image (image-spec 1.1; Docker's image manifest v2 schema 2 alike): one parser each, and the choice of a platform. */
import * as z from 'zod';
import { SlipwayError } from '../spec/error.ts';
import type { Architecture } from '../spec/image.ts';
import type { ImageConfig } from './image-config.ts';

export const MEDIA_TYPES = {
  index: [
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ],
  manifest: [
    'application/vnd.oci.image.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
  ],
} as const;

/** No manifest or configuration is larger (the distribution specification's own limit for manifests). */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

const descriptor = z.object({
  mediaType: z.string().default(''),
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/, 'only SHA-256 digests are supported'),
  size: z.number().int().nonnegative(),
  platform: z.object({ architecture: z.string(), os: z.string(), variant: z.string().optional() }).nullish(),
});

export type Descriptor = z.infer<typeof descriptor>;

const index = z.object({ manifests: z.array(descriptor) });
const manifest = z.object({ config: descriptor, layers: z.array(descriptor) });

export type ImageManifest = z.infer<typeof manifest>;

const strings = z.array(z.string()).nullish();
const config = z.object({
  architecture: z.string(),
  os: z.string(),
  config: z
    .object({
      Entrypoint: strings,
      Cmd: strings,
      Env: strings,
      User: z.string().nullish(),
      WorkingDir: z.string().nullish(),
      StopSignal: z.string().nullish(),
      Labels: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string().regex(/^sha256:[0-9a-f]{64}$/)) }),
});

/** An index or a manifest, told by its content: registries and layouts do not always name the media type. */
export function parseIndexOrManifest(
  text: string,
  where: string,
): { kind: 'index'; manifests: readonly Descriptor[] } | { kind: 'manifest'; manifest: ImageManifest } {
  const json = parseJson(text, where);
  if (typeof json === 'object' && json !== null && 'manifests' in json) {
    return { kind: 'index', manifests: parse(index, json, where).manifests };
  }
  return { kind: 'manifest', manifest: parse(manifest, json, where) };
}

export function parseImageConfig(text: string, where: string): ImageConfig {
  const { architecture, os, config: run, rootfs } = parse(config, parseJson(text, where), where);
  const optional = <K extends string, V>(key: K, value: V | null | undefined): Partial<Record<K, V>> =>
    value == null || value === '' ? {} : ({ [key]: value } as Partial<Record<K, V>>);
  return {
    architecture,
    os,
    ...optional('entrypoint', run?.Entrypoint),
    ...optional('command', run?.Cmd),
    environment: Object.fromEntries((run?.Env ?? []).map(splitVariable)),
    ...optional('user', run?.User),
    ...optional('workingDir', run?.WorkingDir),
    ...optional('stopSignal', run?.StopSignal),
    labels: run?.Labels ?? {},
    diffIds: rootfs.diff_ids,
  };
}

/** The one manifest for a Linux machine of this architecture. A single entry without a platform is taken; its configuration is checked later. */
export function choosePlatform(
  manifests: readonly Descriptor[],
  architecture: Architecture,
  where: string,
): Descriptor {
  const images = manifests.filter(
    ({ mediaType, platform }) =>
      (mediaType === '' ||
        [...MEDIA_TYPES.manifest, ...MEDIA_TYPES.index].some((type) => type === mediaType)) &&
      platform?.os !== 'unknown',
  );
  const fitting = images.filter(
    ({ platform }) => platform == null || (platform.os === 'linux' && platform.architecture === architecture),
  );
  const [chosen, second] = fitting.some(({ platform }) => platform != null)
    ? fitting.filter(({ platform }) => platform != null)
    : fitting;
  if (chosen === undefined) {
    const offered = images.map(({ platform }) => `${platform?.os}/${platform?.architecture}`);
    throw new SlipwayError('oci.platform', `${where} has no image for linux/${architecture}`, {
      hint:
        offered.length === 0 ? 'it holds no image at all' : `it holds: ${[...new Set(offered)].join(', ')}`,
    });
  }
  if (second !== undefined && second.digest !== chosen.digest && chosen.platform == null) {
    throw new SlipwayError('oci.ambiguous', `${where} holds several images`, {
      hint: 'keep one image in the layout or archive',
    });
  }
  return chosen;
}

function splitVariable(text: string): [string, string] {
  const at = text.indexOf('=');
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SlipwayError('oci.invalid', `${where}: not JSON`, { cause: error });
  }
}

function parse<T extends z.ZodType>(schema: T, json: unknown, where: string): z.output<T> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new SlipwayError('oci.invalid', `${where}: ${faults.join('; ')}`);
}
