/**
 * The software bill of materials, SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/). Deterministic: identifiers come from digests, the time
 * from the lock.
 */
import type { ImageDefinition } from '../../spec/image.ts';
import type { OpenedPackage } from '../tree/package-index.ts';

export interface SbomInput {
  readonly image: ImageDefinition;
  readonly rootHash: string;
  /** Seconds since 1970. */
  readonly epoch: number;
  readonly packages: readonly OpenedPackage[];
  /** Package name -> what it serves: `host`, `kernel` or service names. */
  readonly serves: ReadonlyMap<string, readonly string[]>;
  /** OCI images, by reference. */
  readonly images: readonly {
    readonly reference: string;
    readonly digest: string;
    readonly service: string;
  }[];
}

export function spdxDocument(input: SbomInput): Record<string, unknown> {
  const { image, rootHash } = input;
  const rootId = 'SPDXRef-image';
  const packages = input.packages
    .filter(({ locked }) => input.serves.has(locked.name))
    .map((opened) =>
      debianPackage(opened, licencesIn(opened, input.packages), input.serves.get(opened.locked.name) ?? []),
    );
  const images = input.images.map(ociImage);
  const parts = [...packages, ...images];
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${image.name}_${image.version}`,
    documentNamespace: `urn:slipway:${image.name}:${image.version}:${rootHash}`,
    creationInfo: {
      created: new Date(input.epoch * 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: ['Tool: slipway'],
    },
    packages: [
      {
        SPDXID: rootId,
        name: image.name,
        versionInfo: image.version,
        downloadLocation: 'NOASSERTION',
        filesAnalyzed: false,
        primaryPackagePurpose: 'OPERATING-SYSTEM',
        checksums: [{ algorithm: 'SHA256', checksumValue: rootHash }],
        comment: 'The checksum is the root hash of its dm-verity tree.',
      },
      ...parts,
    ],
    relationships: [
      { spdxElementId: 'SPDXRef-DOCUMENT', relationshipType: 'DESCRIBES', relatedSpdxElement: rootId },
      ...parts.map((part) => ({
        spdxElementId: rootId,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: part['SPDXID'],
      })),
    ],
    ...extractedLicences(packages),
  };
}

/** Some packages link their documentation folder, and with it their copyright file, to another package's (Debian policy 12.5). */
function licencesIn({ content }: OpenedPackage, all: readonly OpenedPackage[]): readonly string[] {
  const other = all.find(({ locked }) => locked.name === content.licencesOf);
  return [...new Set([...content.licences, ...(other?.content.licences ?? [])].map(licenceId))].sort();
}

function debianPackage(
  { locked }: OpenedPackage,
  licences: readonly string[],
  serves: readonly string[],
): Record<string, unknown> {
  return {
    SPDXID: `SPDXRef-deb-${locked.name.replaceAll(/[^A-Za-z0-9.-]/g, '-')}-${locked.architecture}`,
    name: locked.name,
    versionInfo: locked.version,
    supplier: 'Organization: Debian',
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    sourceInfo: `built from the Debian source package ${locked.source}`,
    checksums: [{ algorithm: 'SHA256', checksumValue: locked.sha256 }],
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licences.length === 0 ? 'NOASSERTION' : licences.join(' AND '),
    copyrightText: 'NOASSERTION',
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: `pkg:deb/debian/${locked.name}@${encodeURIComponent(locked.version)}?arch=${locked.architecture}`,
      },
    ],
    comment: `serves: ${serves.join(', ')}`,
  };
}

function ociImage(part: SbomInput['images'][number]): Record<string, unknown> {
  return {
    SPDXID: `SPDXRef-oci-${part.digest.replace(/^sha256:/, '').slice(0, 16)}`,
    name: part.reference,
    versionInfo: part.digest,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    primaryPackagePurpose: 'CONTAINER',
    checksums: [{ algorithm: 'SHA256', checksumValue: part.digest.replace(/^sha256:/, '') }],
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    comment: `serves: ${part.service}`,
  };
}

/** Debian's short names (DEP-5) that are SPDX identifiers too, up to spelling. */
const SPDX_IDS: Readonly<Record<string, string>> = {
  'Apache-2.0': 'Apache-2.0',
  'BSD-2-clause': 'BSD-2-Clause',
  'BSD-3-clause': 'BSD-3-Clause',
  'GPL-1': 'GPL-1.0-only',
  'GPL-1+': 'GPL-1.0-or-later',
  'GPL-2': 'GPL-2.0-only',
  'GPL-2+': 'GPL-2.0-or-later',
  'GPL-3': 'GPL-3.0-only',
  'GPL-3+': 'GPL-3.0-or-later',
  'LGPL-2': 'LGPL-2.0-only',
  'LGPL-2+': 'LGPL-2.0-or-later',
  'LGPL-2.1': 'LGPL-2.1-only',
  'LGPL-2.1+': 'LGPL-2.1-or-later',
  'LGPL-3': 'LGPL-3.0-only',
  'LGPL-3+': 'LGPL-3.0-or-later',
  'MPL-2.0': 'MPL-2.0',
  Expat: 'MIT',
  MIT: 'MIT',
  ISC: 'ISC',
  Zlib: 'Zlib',
  curl: 'curl',
  'CC0-1.0': 'CC0-1.0',
};

function licenceId(name: string): string {
  return SPDX_IDS[name] ?? `LicenseRef-debian-${name.replaceAll(/[^A-Za-z0-9.-]/g, '-')}`;
}

/** Licences that SPDX does not list must be declared in the document. */
function extractedLicences(packages: readonly Record<string, unknown>[]): Record<string, unknown> {
  const ids = new Set(
    packages.flatMap((part) => String(part['licenseDeclared']).match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? []),
  );
  if (ids.size === 0) return {};
  return {
    hasExtractedLicensingInfos: [...ids].sort().map((licenseId) => ({
      licenseId,
      extractedText: `The licence of this name in the package's Debian copyright file (/usr/share/doc/<package>/copyright).`,
    })),
  };
}
