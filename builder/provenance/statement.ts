/** Provenance: an in-toto Statement v1 with the SLSA Provenance v1 predicate (https://slsa.dev/spec/v1.0/provenance). */
import type { ImageDefinition } from '../../spec/image.ts';
import type { LockFile } from '../lock/lock-file.ts';

export interface ProvenanceInput {
  readonly image: ImageDefinition;
  readonly lock: LockFile;
  readonly slipwayVersion: string;
  /** SHA-256 of the image definition with everything that it includes. */
  readonly definitionDigest: string;
  readonly artifacts: readonly { readonly name: string; readonly sha256: string }[];
}

export function provenanceStatement(input: ProvenanceInput): Record<string, unknown> {
  const { image, lock } = input;
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: input.artifacts.map(({ name, sha256 }) => ({ name, digest: { sha256 } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:slipway:build:v1',
        externalParameters: {
          image: image.name,
          version: image.version,
          architecture: image.architecture,
          profiles: image.profiles,
        },
        internalParameters: { suite: lock.suite },
        resolvedDependencies: [
          { name: 'definition', digest: { sha256: input.definitionDigest } },
          ...[...lock.packages, ...lock.tools].map((item) => ({
            name: item.name,
            uri: `pkg:deb/debian/${item.name}@${encodeURIComponent(item.version)}?arch=${item.architecture}`,
            digest: { sha256: item.sha256 },
          })),
          ...lock.images.map((item) => ({
            name: item.reference,
            digest: { sha256: item.digest.replace(/^sha256:/, '') },
          })),
        ],
      },
      runDetails: { builder: { id: 'urn:slipway:builder', version: { slipway: input.slipwayVersion } } },
    },
  };
}
