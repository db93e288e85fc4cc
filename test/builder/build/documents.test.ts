/** The documents beside an image: SBOM, provenance and manifest say what is true of the artifacts. */
import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readLock } from '../../../builder/lock/lock-file.ts';
import type { Manifest } from '../../../builder/build/manifest.ts';
import { buildTestImage, WORK } from '../../boot/image.ts';

const OUTPUT = join(WORK, 'images/minimal');

interface Spdx {
  readonly packages: readonly {
    readonly SPDXID: string;
    readonly name: string;
    readonly versionInfo: string;
    readonly checksums: readonly { readonly algorithm: string; readonly checksumValue: string }[];
    readonly comment?: string;
  }[];
}

function document<T>(name: string): T {
  return JSON.parse(readFileSync(join(OUTPUT, name), 'utf8')) as T;
}

beforeAll(async () => {
  await buildTestImage('images/minimal.yaml');
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
