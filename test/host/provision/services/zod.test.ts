/** What stands in for zod on the machine says of every document what zod says. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { machineBundle } from '../../../../scripts/machine-bundle.mjs';
import { SERVICE_EXAMPLE } from '../../../../spec/reference-prose.ts';
import { serviceSchema } from '../../../../spec/service-schema.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import * as npm from './zod-subject.ts';

let ours: typeof npm;
let bundled = '';

beforeAll(async () => {
  const outfile = join(scratchDirectory(), 'subject.mjs');
  const { outputFiles = [] } = await build({
    ...machineBundle,
    entryPoints: [join(import.meta.dirname, 'zod-subject.ts')],
    outfile,
    write: false,
  });
  bundled = outputFiles[0]?.text ?? '';
  writeFileSync(outfile, bundled);
  ours = (await import(pathToFileURL(outfile).href)) as typeof npm;
});

test('it is the other one that is compared', () => {
  expect(bundled).not.toContain('invalid_discriminator');
  expect(ours.serviceOutcome).not.toBe(npm.serviceOutcome);
});

const KEYS = [...Object.keys(serviceSchema.shape), 'x-other', 'x-slipwy', 'mem_limt', 'constructor'];
const INNER =
  'source target type read_only bind tmpfs size mode path content uid gid soft hard nofile nproc nofiles condition required test interval retries disable packages files gate state name permissions propagation'.split(
    ' ',
  );
const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      '/a',
      '/a:/b',
      '/a:/b:ro',
      'a:/b',
      'a:b:c',
      './a',
      '',
      ' ',
      'x',
      'é😀',
      'NET_ADMIN',
      'ALL',
      'SIGTERM',
      '9',
    ],
    ...[
      '64MB',
      '1GiB',
      '30s',
      '1m30s',
      '0644',
      '0755',
      'unlimited',
      '-1',
      '1.5',
      '0',
      'no',
      'always',
      'on-failure:3',
    ],
    ...[
      'host',
      'none',
      'private',
      'service',
      'onboot',
      'bind',
      'volume',
      'tmpfs',
      'service_healthy',
      "a 'b c",
    ],
    ...['rwm', 'rr', '/dev/net/tun', '/dev/a:/dev/b:rw', '/run:size=64m,mode=1777', '/tmp:x=1', 'on', 'yes'],
  ),
  fc.constantFrom<unknown>(null, true, false, -2, -1, 0, 1, 2, 3.5, 420, 644, 1e6, 1e300, 2 ** 53, -1e300),
  fc.string({ maxLength: 6 }),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    { weight: 3, arbitrary: scalar },
    { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
    {
      weight: 3,
      arbitrary: fc.dictionary(fc.constantFrom(...INNER, 'a', 'x-a', 'A=1'), tie('value'), { maxKeys: 5 }),
    },
  ),
}));
const service = fc.dictionary(fc.constantFrom(...KEYS), value, { maxKeys: 6 });

test('a service with every key, and services with anything in their keys', () => {
  const example = parse(SERVICE_EXAMPLE) as { services: Record<string, object> };
  const examples = Object.values(example.services).map((one) => stringify(one));
  expect(examples.length).toBeGreaterThan(0);
  for (const text of [...examples, '{}', '[]', 'image: a'])
    expect(ours.serviceOutcome(text)).toBe(npm.serviceOutcome(text));
  fc.assert(
    fc.property(service, (input) => {
      const text = stringify(input);
      expect(ours.serviceOutcome(text)).toBe(npm.serviceOutcome(text));
    }),
    { numRuns: Number(process.env['SLIPWAY_FUZZ_RUNS'] ?? 200) },
  );
});

const DIGEST = `sha256:${'a'.repeat(64)}`;
const descriptor = fc.record(
  {
    mediaType: fc.constantFrom<unknown>('application/vnd.oci.image.manifest.v1+json', '', 1, null),
    digest: fc.constantFrom<unknown>(DIGEST, 'sha512:a', 4, null),
    size: fc.constantFrom<unknown>(0, 12, -1, 1.5, 'x', 1e300),
    platform: fc.constantFrom<unknown>(null, {}, { architecture: 'amd64', os: 'linux', more: 1 }, [], {
      os: 1,
    }),
  },
  { requiredKeys: [] },
);
const manifest = fc.record(
  {
    manifests: fc.oneof(fc.array(descriptor, { maxLength: 2 }), fc.constant(null)),
    config: fc.oneof(
      descriptor,
      fc.constantFrom<unknown>(null, { Env: ['A=1'], Labels: { a: 'b' } }, { Cmd: 'x', Labels: { a: 1 } }),
    ),
    layers: fc.array(descriptor, { maxLength: 2 }),
    architecture: fc.constantFrom<unknown>('amd64', 5),
    os: fc.constantFrom<unknown>('linux', null),
    rootfs: fc.constantFrom<unknown>({ diff_ids: [DIGEST] }, { diff_ids: ['x', 1] }, null),
  },
  { requiredKeys: [] },
);

test('the documents of OCI images, whatever they hold', () => {
  fc.assert(
    fc.property(fc.oneof(manifest, fc.jsonValue()), (input) => {
      const text = JSON.stringify(input);
      expect(ours.manifestOutcome(text)).toBe(npm.manifestOutcome(text));
    }),
    { numRuns: 200 },
  );
});
