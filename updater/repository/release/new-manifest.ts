/** The manifest of a new release, with its payloads made. */
import { createHash } from 'node:crypto';
import { readSignatures } from '../../../builder/authenticode/read.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import { writePayload, type RepositoryFiles } from '../repository/files.ts';
import type { AddOptions } from './add-options.ts';
import type { Build } from './build.ts';
import type { Images } from './images.ts';
import type { PayloadTools } from './payload-tools.ts';
import { makePayloads } from './payloads.ts';
import { contentOfUpdate } from './secure-boot.ts';

/** `before`: the last release of this image that was published. */
export async function makeManifest(
  build: Build,
  sources: readonly ReleaseManifest[],
  context: { readonly files: RepositoryFiles; readonly tools: PayloadTools; readonly images: Images },
  options: AddOptions & { readonly before: ReleaseManifest | undefined; readonly now: Date },
): Promise<ReleaseManifest> {
  const { files, images } = context;
  const { notes, report } = options;
  const secureBoot = await secureBootOf(build, options.before, files, options);
  await images.keep(build.root.rootHash, build.root.path);
  await images.keep(build.uki.sha256, build.uki.path);
  const payloads = await makePayloads(build, sources, { ...context, report: report ?? (() => undefined) });
  const { version, image, architecture, epoch, stateVersion, minMemoryMiB, layoutVersions, loader } = build;
  return {
    format: '1.0',
    requires: [],
    ...{ image, version, architecture, notes, epoch, stateVersion, minMemoryMiB, layoutVersions },
    root: {
      sizeBytes: build.root.sizeBytes,
      sha256: build.root.sha256,
      rootHash: build.root.rootHash,
      salt: build.root.salt,
      full: payloads.root.full,
      blockList: await writePayload(files, build.root.blockList),
      deltas: payloads.root.deltas,
    },
    uki: {
      sizeBytes: build.uki.sizeBytes,
      sha256: build.uki.sha256,
      full: payloads.uki.full,
      deltas: payloads.uki.deltas,
      signer: build.uki.signer,
    },
    ...(loader === undefined
      ? {}
      : { loader: { ...(await writePayload(files, loader.bytes)), version: loader.version } }),
    ...secureBoot,
  };
}

/** A machine may skip the release that changed something: those after it say the same. */
async function secureBootOf(
  build: Build,
  before: ReleaseManifest | undefined,
  files: RepositoryFiles,
  { secureBoot: changes, now }: AddOptions & { readonly now: Date },
): Promise<Pick<ReleaseManifest, 'revokes' | 'secureBoot'>> {
  const { revokes: old = [], secureBoot: carried = [] } = before ?? {};
  const revokes = [...new Set([...old, ...(changes?.retired ?? [])])];
  refuseRetired(build, revokes);
  const updates = new Map(carried.map(({ variable, auth }) => [variable, auth]));
  for (const addition of changes?.additions ?? []) {
    const { variable } = addition;
    const last = updates.get(variable);
    const known = last === undefined ? undefined : await files.read(payloadName(last.sha256));
    const content = known === undefined ? new Uint8Array() : contentOfUpdate(known);
    const auth = await addition.sign(content, build.debug ? 'debug' : 'release', now);
    updates.set(variable, await writePayload(files, auth));
  }
  const secureBoot = [...updates].map(([variable, auth]) => ({ variable, auth }));
  return {
    ...(revokes.length === 0 ? {} : { revokes }),
    ...(secureBoot.length === 0 ? {} : { secureBoot }),
  };
}

/** Machines would not start it, or not the boot loader that starts it. */
function refuseRetired({ uki, loader }: Build, revokes: readonly string[]): void {
  if (revokes.length === 0) return;
  const { leaf, issuer } = uki.signer;
  const ofLoader = loader === undefined ? [] : readSignatures(loader.bytes);
  const used: readonly (readonly [string, string])[] = [
    [uki.path, leaf],
    [uki.path, issuer],
    ...ofLoader
      .flatMap(({ certificates }) => certificates)
      .map(({ raw }) => ['its boot loader', sha256(raw)] as const),
  ];
  const [what, digest] = used.find(([, certificate]) => revokes.includes(certificate)) ?? [];
  if (what === undefined) return;
  throw new SlipwayError('release.revoked', `${what} is signed by a leaf that is retired: ${digest}`, {
    hint: 'build it with a new one: slipway keys leaf',
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
