/** The documents beside an image: SBOM, provenance and manifest say what is true of the artifacts. */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { Ajv } from 'ajv';
import { readLock } from '../../../builder/lock/lock-file.ts';
import type { Manifest } from '../../../builder/build/manifest.ts';
import { buildTestImage, WORK } from '../../boot/image.ts';

const OUTPUT = join(WORK, 'images/minimal');

interface Spdx {
  readonly packages: readonly {
    readonly SPDXID: string;
    readonly name: string;
    readonly versionInfo: string;
    readonly licenseDeclared?: string;
    readonly checksums: readonly { readonly algorithm: string; readonly checksumValue: string }[];
    readonly comment?: string;
  }[];
  readonly relationships: readonly { readonly spdxElementId: string; readonly relatedSpdxElement: string }[];
  readonly hasExtractedLicensingInfos?: readonly { readonly licenseId: string }[];
}

/** What SPDX 2.3 requires (clauses 6, 7, 10, 11), and the form of its identifiers. */
const ID = { type: 'string', pattern: '^SPDXRef-[A-Za-z0-9.-]+$' };
const SPDX_SCHEMA = {
  type: 'object',
  required: ['spdxVersion', 'dataLicense', 'SPDXID', 'name', 'documentNamespace', 'creationInfo', 'packages'],
  properties: {
    spdxVersion: { const: 'SPDX-2.3' },
    dataLicense: { const: 'CC0-1.0' },
    SPDXID: { const: 'SPDXRef-DOCUMENT' },
    documentNamespace: { type: 'string', pattern: '^[a-z]+:[^#]+$' },
    creationInfo: {
      type: 'object',
      required: ['created', 'creators'],
      properties: {
        created: { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$' },
        creators: {
          type: 'array',
          minItems: 1,
          items: { type: 'string', pattern: '^(Tool|Person|Organization): .+' },
        },
      },
    },
    packages: {
      type: 'array',
      minItems: 10,
      items: {
        type: 'object',
        required: ['SPDXID', 'name', 'downloadLocation'],
        properties: {
          SPDXID: ID,
          filesAnalyzed: { const: false },
          checksums: {
            type: 'array',
            items: {
              type: 'object',
              required: ['algorithm', 'checksumValue'],
              properties: {
                algorithm: { const: 'SHA256' },
                checksumValue: { type: 'string', pattern: '^[0-9a-f]{64}$' },
              },
            },
          },
          supplier: { type: 'string', pattern: '^(Person|Organization): .+|^NOASSERTION$' },
        },
      },
    },
    relationships: {
      type: 'array',
      items: {
        type: 'object',
        required: ['spdxElementId', 'relationshipType', 'relatedSpdxElement'],
        properties: { spdxElementId: ID, relatedSpdxElement: ID },
      },
    },
  },
};

function document<T>(name: string): T {
  return JSON.parse(readFileSync(join(OUTPUT, name), 'utf8')) as T;
}

beforeAll(async () => {
  await buildTestImage('images/minimal.yaml');
});

test('the SBOM has the form of SPDX 2.3, and its identifiers hang together', () => {
  const sbom = document<Spdx>('minimal_1.0.0.spdx.json');
  const validate = new Ajv({ allErrors: true }).compile(SPDX_SCHEMA);
  expect(validate(sbom), JSON.stringify(validate.errors)).toBe(true);
  const ids = new Set(['SPDXRef-DOCUMENT', ...sbom.packages.map(({ SPDXID }) => SPDXID)]);
  expect(ids.size).toBe(sbom.packages.length + 1);
  expect(sbom.relationships.every((r) => ids.has(r.spdxElementId) && ids.has(r.relatedSpdxElement))).toBe(
    true,
  );
  const declared = new Set((sbom.hasExtractedLicensingInfos ?? []).map(({ licenseId }) => licenseId));
  const used = sbom.packages.flatMap(
    ({ licenseDeclared }) => licenseDeclared?.match(/LicenseRef-[\w.-]+/g) ?? [],
  );
  expect(used.filter((id) => !declared.has(id))).toEqual([]);
});

test('the SBOM names every package that gave a file, as the lock pins it, with what it serves', async () => {
  const { packages } = document<Spdx>('minimal_1.0.0.spdx.json');
  const lock = await readLock('images/minimal.lock');
  for (const { name, versionInfo, checksums } of packages.filter(({ SPDXID }) =>
    SPDXID.startsWith('SPDXRef-deb-'),
  )) {
    const locked = lock?.packages.find((candidate) => candidate.name === name);
    expect([versionInfo, checksums[0]?.checksumValue]).toEqual([locked?.version, locked?.sha256]);
  }
  const serves = (name: string): string | undefined => packages.find((item) => item.name === name)?.comment;
  expect(serves('openssh-server')).toBe('serves: service:ssh');
  expect(serves('busybox')).toBe('serves: host, service:network, service:ssh, service:time');
  expect(serves(lock?.requested.kernelResolved ?? '')).toContain('kernel');
});

test('manifest and provenance carry the digests of the artifacts', () => {
  const manifest = document<Manifest>('manifest.json');
  const provenance = document<{
    _type: string;
    predicateType: string;
    subject: { name: string; digest: { sha256: string } }[];
    predicate: { buildDefinition: { resolvedDependencies: { digest: { sha256: string } }[] } };
  }>('minimal_1.0.0.provenance.json');
  for (const { name, sha256, sizeBytes } of manifest.artifacts) {
    const bytes = readFileSync(join(OUTPUT, name));
    expect([name, bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([
      name,
      sizeBytes,
      sha256,
    ]);
  }
  expect(provenance._type).toBe('https://in-toto.io/Statement/v1');
  expect(provenance.predicateType).toBe('https://slsa.dev/provenance/v1');
  const digests = new Map(manifest.artifacts.map(({ name, sha256 }) => [name, sha256]));
  expect(provenance.subject.length).toBeGreaterThan(3);
  for (const { name, digest } of provenance.subject) expect(digest.sha256).toBe(digests.get(name));
  const inputs = provenance.predicate.buildDefinition.resolvedDependencies;
  expect(inputs.every(({ digest }) => /^[0-9a-f]{64}$/.test(digest.sha256))).toBe(true);
});
