/** Reads a ReleaseManifest. */
import { SlipwayError } from '../../spec/error.ts';
import type {
  DeltaReference,
  FileReference,
  PayloadReference,
  ReleaseEntry,
  ReleaseManifest,
  RootContent,
  UkiContent,
} from './document.ts';
import { MAX_UNIX_S } from './entry.ts';
import { format, openDocument, requires, unknownFeatures } from './format.ts';
import { architecture, imageName, releaseTargetName, sha256, version } from './names.ts';
import { checked, integer, list, object, oneOf, optional, text, type Reader } from './reader.ts';

/** Longest manifest that a machine fetches. */
export const MAX_MANIFEST_BYTES = 1024 * 1024;
export const MAX_NOTES_CHARACTERS = 65536;
export const MAX_DELTAS = 256;

const BLOCK_BYTES = 4096;
const DIGEST_BYTES = 32;
const MAX_ROOT_BYTES = 64 * 1024 ** 3;
const MAX_UKI_BYTES = 1024 ** 3;
const MAX_HEADER_BYTES = 16 * 1024 ** 2;
const MAX_SMALL_FILE_BYTES = 16 * 1024 ** 2;

const payloadFields = {
  sha256,
  // A payload of what cannot be compressed is a little larger than its content.
  sizeBytes: integer(1, 2 * MAX_ROOT_BYTES),
  headerBytes: integer(1, MAX_HEADER_BYTES),
  headerSha256: sha256,
};

function headerFits(payload: PayloadReference): string | undefined {
  return payload.headerBytes <= payload.sizeBytes ? undefined : 'has a header longer than itself';
}

const full = checked(object<PayloadReference>(payloadFields), headerFits);
const delta = checked(
  object<DeltaReference>({ ...payloadFields, from: version, fromHash: sha256 }),
  headerFits,
);
const deltas = checked(list(delta, { max: MAX_DELTAS }), (all) => {
  const sources = new Set(all.map(({ from, fromHash }) => `${from} ${fromHash}`));
  return sources.size === all.length ? undefined : 'names one source twice';
});

function file(maxBytes: number): Reader<FileReference> {
  return object<FileReference>({ sha256, sizeBytes: integer(1, maxBytes) });
}

const root = checked(
  object<RootContent>({
    sizeBytes: integer(BLOCK_BYTES, MAX_ROOT_BYTES),
    sha256,
    rootHash: sha256,
    salt: sha256,
    full,
    blockList: file((MAX_ROOT_BYTES / BLOCK_BYTES) * DIGEST_BYTES),
    deltas,
  }),
  ({ sizeBytes, blockList }) => {
    if (sizeBytes % BLOCK_BYTES !== 0) return 'is not whole blocks of 4 KiB';
    const listBytes = (sizeBytes / BLOCK_BYTES) * DIGEST_BYTES;
    return blockList.sizeBytes === listBytes
      ? undefined
      : `should have a block list of ${listBytes} bytes, and it has ${blockList.sizeBytes}`;
  },
);

const uki = object<UkiContent>({
  sizeBytes: integer(512, MAX_UKI_BYTES),
  sha256,
  full,
  deltas,
  signer: object<UkiContent['signer']>({ leaf: sha256, leafTbs: sha256, issuer: sha256 }),
});

const manifest = object<ReleaseManifest>({
  format,
  requires,
  image: imageName,
  version,
  architecture,
  notes: text({ max: MAX_NOTES_CHARACTERS }),
  epoch: integer(0, MAX_UNIX_S),
  stateVersion: integer(1, 1_000_000),
  minMemoryMiB: integer(1, 1024 ** 2),
  layoutVersions: list(integer(1, 1000), { min: 1, max: 32 }),
  root,
  uki,
  loader: optional(
    object<NonNullable<ReleaseManifest['loader']>>({
      sha256,
      sizeBytes: integer(1, MAX_SMALL_FILE_BYTES),
      version: text({ form: /^[A-Za-z0-9.~^+-]{1,64}$/, what: 'a version of the boot loader' }),
    }),
  ),
  secureBoot: optional(
    list(
      object<NonNullable<ReleaseManifest['secureBoot']>[number]>({
        variable: oneOf('KEK', 'db', 'dbx'),
        auth: file(MAX_SMALL_FILE_BYTES),
      }),
      { max: 16 },
    ),
  ),
  revokes: optional(list(sha256, { max: 64 })),
});

/**
 * Throws `release.invalid`; `release.format` for what a later Slipway wrote; `release.requires` when it needs features that this one has not.
 * `of` is the entry that led here: they must speak of the same release.
 */
export function parseReleaseManifest(
  value: unknown,
  of: Pick<ReleaseEntry, 'image' | 'version' | 'architecture'>,
): ReleaseManifest {
  const name = releaseTargetName(of);
  const read = checked(manifest, (found) =>
    releaseTargetName(found) === name ? undefined : `describes ${releaseTargetName(found)}`,
  )(value, openDocument(value, name));
  const missing = unknownFeatures(read.requires);
  if (missing.length === 0) return read;
  throw new SlipwayError(
    'release.requires',
    `${name} needs what this version has not: ${missing.join(', ')}`,
  );
}
