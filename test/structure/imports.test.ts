/**
 * The law of imports: `spec` <- `builder` <- `lab` <- `cli`; `spec` <- `system` <- `host`, `updater/device`. What runs on the machine takes
 * nothing of Node's.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = resolve('.');
/** Part -> parts that it may import from. `lab` (QEMU and firmware) is used by the command and by tests. */
const LAW: Readonly<Record<string, readonly string[]>> = {
  spec: ['spec'],
  // From a service to its OCI bundle: the builder for services of the image, the machine for those of its boot configuration.
  oci: ['spec', 'oci'],
  builder: ['spec', 'oci', 'builder'],
  // The one door to the machine, for `host` and `updater/device`.
  system: ['spec', 'system'],
  host: ['spec', 'system', 'oci', 'host'],
  lab: ['spec', 'builder', 'lab'],
  // What both ends of an update share, then the two ends.
  'updater/payload': ['spec', 'updater/payload'],
  'updater/release': ['spec', 'updater/payload', 'updater/release'],
  'updater/device': ['spec', 'system', 'updater/payload', 'updater/release', 'updater/device'],
  'updater/repository': ['spec', 'builder', 'updater/payload', 'updater/release', 'updater/repository'],
  cli: ['spec', 'builder', 'host', 'updater/payload', 'updater/release', 'updater/repository', 'lab', 'cli'],
};
/** What `spec` may take from npm, and what host code may import at all beside our own files. */
const SPEC_PACKAGES = ['yaml', 'zod'];
const HOST_MODULES = ['std', 'os', '@noble/hashes/sha2.js', '@noble/hashes/utils.js'];

function sources(part: string): string[] {
  if (!existsSync(join(ROOT, part))) return [];
  return readdirSync(join(ROOT, part), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(ROOT, part, name));
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function imports(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const pattern = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm;
  return [...text.matchAll(pattern)].map((match) => ({
    from: relative(ROOT, file),
    to: match[2] ?? match[3] ?? '',
    typeOnly: match[1] !== undefined,
  }));
}

function partOf(found: Import): string | undefined {
  if (!found.to.startsWith('.')) return undefined;
  const path = relative(ROOT, resolve(ROOT, dirname(found.from), found.to));
  return Object.keys(LAW).find((part) => path.startsWith(`${part}/`)) ?? path.split('/')[0];
}

test.each(Object.keys(LAW))('%s imports only what it may', (part) => {
  const all = sources(part).flatMap(imports);
  const allowed = LAW[part] ?? [];
  const broken = all.filter((found) => {
    const other = partOf(found);
    return other !== undefined && !allowed.includes(other);
  });
  expect(broken).toEqual([]);
});

test('spec takes only yaml and zod from npm, and nothing of Node’s but path arithmetic', () => {
  const outside = sources('spec')
    .flatMap(imports)
    .filter(({ to }) => !to.startsWith('.'))
    .filter(({ to }) => !SPEC_PACKAGES.includes(to) && to !== 'node:path')
    // The default of what loaders get injected.
    .filter(({ from }) => from !== 'spec/input-files.ts');
  expect(outside).toEqual([]);
});

test('host code runs on QuickJS: no module of Node’s, of npm hashes alone, of spec only what brings neither', () => {
  const all = sources('host').flatMap(imports);
  const outside = all.filter(
    ({ to, typeOnly }) => !to.startsWith('.') && !typeOnly && !HOST_MODULES.includes(to),
  );
  expect(outside).toEqual([]);
  // Provisioning reads documents that people write: it brings yaml, and zod where services are (bundled, measured in docs).
  const values = all.filter(
    (found) => partOf(found) === 'spec' && !found.typeOnly && !found.from.startsWith('host/provision/'),
  );
  const heavy = values.filter((found) => {
    const file = resolve(ROOT, dirname(found.from), found.to);
    return imports(file).some(({ to, typeOnly }) => !typeOnly && !to.startsWith('.'));
  });
  expect(heavy).toEqual([]);
});

test('programs are started through one door', () => {
  const allowed = ['builder/process/run.ts', 'builder/report/download.ts', 'lab/child.ts'];
  const starters = ['builder', 'lab', 'cli']
    .flatMap(sources)
    .flatMap(imports)
    .filter(({ to }) => ['execa', 'node:child_process', 'child_process'].includes(to))
    .map(({ from }) => from);
  expect(starters.filter((from) => !allowed.includes(from))).toEqual([]);
});
