/** The manifest of a new release, with its payloads made. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import { writePayload, type RepositoryFiles } from '../repository/files.ts';
import type { AddOptions } from './add.ts';
import type { Build } from './build.ts';
import type { Images } from './images.ts';
import type { PayloadTools } from './payload-tools.ts';
import { makePayloads } from './payloads.ts';
import { contentOfUpdate } from './revoke.ts';

/** `before`: the last release of this image that was published. */
export async function makeManifest(
  build: Build,
  sources: readonly ReleaseManifest[],
  context: { readonly files: RepositoryFiles; readonly tools: PayloadTools; readonly images: Images },
  options: AddOptions & { readonly before: ReleaseManifest | undefined; readonly now: Date },
): Promise<ReleaseManifest> {
  const { files, images } = context;
  const { notes, report } = options;
  const retired = await retirement(build, options.before, files, options);
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
    ...retired,
  };
}

/** A machine may skip the release that retired a leaf: those after it say the same. */
async function retirement(
  build: Build,
  before: ReleaseManifest | undefined,
  files: RepositoryFiles,
  { revokes: revocation, now }: AddOptions & { readonly now: Date },
): Promise<Pick<ReleaseManifest, 'revokes' | 'secureBoot'>> {
  const { revokes: old = [], secureBoot } = before ?? {};
  const revokes = [...new Set([...old, ...(revocation?.leaves ?? [])])];
  if (revokes.includes(build.uki.signer.leaf)) {
    throw new SlipwayError(
      'release.revoked',
      `${build.uki.path} is signed by a leaf that is retired: ${build.uki.signer.leaf}`,
      {
        hint: 'build it with a new one: slipway keys leaf',
      },
    );
  }
  if (revokes.length === 0) return {};
  if (revocation === undefined) return { revokes, ...(secureBoot === undefined ? {} : { secureBoot }) };
  const last = secureBoot?.find(({ variable }) => variable === 'dbx');
  const update = last === undefined ? undefined : await files.read(payloadName(last.auth.sha256));
  const auth = await revocation.update(
    update === undefined ? new Uint8Array() : contentOfUpdate(update),
    build.debug ? 'debug' : 'release',
    now,
  );
  return { revokes, secureBoot: [{ variable: 'dbx', auth: await writePayload(files, auth) }] };
}
