/** What a root file system holds. */
import { z } from 'zod';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { readErofs, type ErofsImage } from '../erofs/read.ts';
import type { ByteSource } from './source.ts';

export interface RootReport {
  readonly kind: 'root';
  readonly uuid: string;
  /** Of the file system; its partition may be larger. */
  readonly sizeBytes: number;
  readonly inodes: number;
  /** ISO 8601. */
  readonly time: string;
  readonly image?: { readonly name: string; readonly version: string; readonly architecture: string };
  readonly services: readonly {
    readonly name: string;
    readonly type: string;
    readonly gate: boolean;
    readonly dependsOn: readonly string[];
  }[];
  readonly packages: readonly { readonly name: string; readonly version: string }[];
  /** What in it could not be understood. */
  readonly problems: readonly string[];
}

/** Only what is shown: a machine of a newer Slipway may hold more. */
const Machine = z.object({
  image: z.object({ name: z.string(), version: z.string(), architecture: z.string() }),
  services: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      gate: z.boolean(),
      dependsOn: z.array(z.object({ service: z.string() })),
    }),
  ),
});
const Packages = z.array(z.object({ name: z.string(), version: z.string() }));

/** Throws `erofs.invalid` for what is no EROFS. */
export async function inspectRoot(source: ByteSource): Promise<RootReport> {
  const erofs = await readErofs(source);
  const problems: string[] = [];
  const machine = await readJson(erofs, MACHINE_PATHS.description, Machine, problems);
  const packages = await readJson(erofs, `${MACHINE_PATHS.programs}/packages.json`, Packages, problems);
  return {
    kind: 'root',
    uuid: erofs.uuid,
    sizeBytes: erofs.blocks * erofs.blockBytes,
    inodes: erofs.inodes,
    time: new Date(erofs.epoch * 1000).toISOString(),
    ...(machine === undefined ? {} : { image: machine.image }),
    services: (machine?.services ?? []).map((service) => ({
      ...service,
      dependsOn: service.dependsOn.map((dependency) => dependency.service),
    })),
    packages: packages ?? [],
    problems,
  };
}

async function readJson<T>(
  erofs: ErofsImage,
  path: string,
  schema: z.ZodType<T>,
  problems: string[],
): Promise<T | undefined> {
  const bytes = await erofs.readFile(path);
  if (bytes === undefined) {
    problems.push(`it has no ${path}`);
    return undefined;
  }
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    problems.push(`its ${path} is not what this version of slipway knows`);
    return undefined;
  }
}
