/** Compose's own JSON Schema judges service files: what we accept, Compose accepts, too. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { CAPABILITIES, ULIMITS } from '../../spec/names.ts';
import { SERVICE_EXAMPLE } from '../../spec/reference-prose.ts';
import { services } from './memory-files.ts';

const TOP = new URL('../../', import.meta.url);
const SCHEMA = fileURLToPath(new URL('../shared/data/compose-spec.json', TOP));
const present = existsSync(SCHEMA);
if (!present) console.warn(`skipped: ${SCHEMA} is not there, so Compose's schema cannot judge service files`);

const text = fc.constantFrom('a', '10', 'x y', 'true', '1.0', 'a=b');
const path = fc.constantFrom('/a', '/b/c', '/var/lib/x', '/run');
const duration = fc.constantFrom('30s', '1m30s', '500ms', '2h');
const size = fc.constantFrom<string | number>('64MB', '1g', 67108864, '4194304');
const listOrMap = fc.oneof(
  fc.dictionary(fc.constantFrom('A', 'B_C', 'd.e'), fc.oneof(text, fc.integer(), fc.boolean())),
  fc.uniqueArray(fc.constantFrom('A=1', 'B_C=x y', 'd.e='), { selector: (item) => item }),
);
const command = fc.oneof(text, fc.array(text), fc.constant(null));
const limit = fc.oneof(fc.integer({ min: -1, max: 1e6 }), fc.constantFrom('-1', '1024'));
const name = fc.constantFrom('a', 'web-1', 'db_2', 'x.y');

const service = fc.record(
  {
    image: fc.constantFrom('./oci', 'example.org/a/b:1'),
    command,
    entrypoint: command,
    environment: listOrMap,
    working_dir: path,
    user: fc.constantFrom('root', '1000', 'a:b', '0:0'),
    group_add: fc.uniqueArray(fc.oneof(name, fc.nat(1000))),
    hostname: fc.constantFrom('a', 'a.example'),
    volumes: fc.uniqueArray(
      fc.oneof(
        fc.constantFrom('/a:/m1', 'data:/m2', '/a:/m3:ro', '/a:/m4:rw,rslave'),
        fc.record(
          {
            type: fc.constant('bind'),
            source: path,
            target: fc.constant('/m5'),
            read_only: fc.boolean(),
            bind: fc.record(
              { propagation: fc.constant('rshared'), create_host_path: fc.boolean() },
              { requiredKeys: [] },
            ),
          },
          { requiredKeys: ['type', 'source', 'target'] },
        ),
        fc.record(
          {
            type: fc.constant('tmpfs'),
            target: fc.constant('/m6'),
            tmpfs: fc.record({ size, mode: fc.constantFrom('0755', '01777') }, { requiredKeys: [] }),
          },
          { requiredKeys: ['type', 'target'] },
        ),
      ),
      { selector: (item) => (typeof item === 'string' ? item : item.target) },
    ),
    tmpfs: fc.oneof(
      fc.constantFrom('/t1', '/t2:size=64m,mode=1777'),
      fc.uniqueArray(fc.constantFrom('/t1', '/t2:size=1m')),
    ),
    devices: fc.array(
      fc.oneof(
        fc.constantFrom('/dev/a', '/dev/a:/dev/b:rw'),
        fc.record(
          { source: path, target: path, permissions: fc.constantFrom('r', 'rwm') },
          { requiredKeys: ['source'] },
        ),
      ),
    ),
    cap_add: fc.uniqueArray(fc.constantFrom(...CAPABILITIES), { maxLength: 4 }),
    cap_drop: fc.constant(['ALL']),
    privileged: fc.boolean(),
    security_opt: fc.uniqueArray(fc.constantFrom('no-new-privileges:true', 'seccomp:unconfined')),
    read_only: fc.boolean(),
    network_mode: fc.constantFrom('host', 'none'),
    pid: fc.constantFrom('host', null),
    ipc: fc.constantFrom('host', 'private'),
    ulimits: fc.dictionary(
      fc.constantFrom(...ULIMITS),
      fc.oneof(limit, fc.constantFrom({ soft: 1, hard: '2' }, { soft: 1024, hard: -1 })),
    ),
    mem_limit: size,
    cpus: fc.constantFrom<string | number>(0.5, 2, '1.5'),
    cpu_shares: fc.integer({ min: 2, max: 4096 }),
    pids_limit: fc.constantFrom(-1, 1, 100),
    oom_score_adj: fc.integer({ min: -1000, max: 1000 }),
    restart: fc.constantFrom('no', 'always', 'unless-stopped', 'on-failure', 'on-failure:3'),
    stop_signal: fc.constantFrom('SIGTERM', 'INT', '9', 'SIGRTMIN+3'),
    stop_grace_period: duration,
    init: fc.boolean(),
    depends_on: fc.oneof(
      fc.uniqueArray(fc.constantFrom('other', 'third')),
      fc.dictionary(
        fc.constantFrom('other', 'third'),
        fc.record(
          { condition: fc.constant('service_started'), required: fc.boolean(), restart: fc.boolean() },
          { requiredKeys: ['condition'] },
        ),
      ),
    ),
    healthcheck: fc.record(
      {
        test: fc.oneof(text, fc.constantFrom(['CMD', 'a'], ['CMD-SHELL', 'a b'], ['NONE'])),
        interval: duration,
        timeout: duration,
        retries: fc.integer({ min: 1, max: 10 }),
        start_period: duration,
        start_interval: duration,
        disable: fc.boolean(),
      },
      { requiredKeys: ['test'] },
    ),
    labels: listOrMap,
    profiles: fc.uniqueArray(name),
    'x-slipway': fc.record({ state: fc.constant(['/s']), gate: fc.constant(false) }, { requiredKeys: [] }),
    'x-other': fc.anything({ maxDepth: 0 }).map(String),
  },
  { requiredKeys: ['image'] },
);

describe.skipIf(!present)('accepted by the Compose Specification', () => {
  let accepts: (document: unknown) => string;

  beforeAll(() => {
    const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
    const { $schema: _, ...schema } = JSON.parse(readFileSync(SCHEMA, 'utf8')) as Record<string, unknown>;
    const validate = ajv.compile(schema);
    accepts = (document) => (validate(document) ? '' : ajv.errorsText(validate.errors, { separator: '\n' }));
  });

  test('generated service files that we accept', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(name, service), { selector: ([key]) => key, minLength: 1, maxLength: 2 }),
        async (entries) => {
          const document = { name: 'p', services: Object.fromEntries(entries), volumes: { data: {} } };
          const yaml = stringify(document);
          const { diagnostics } = await services({ 'compose.yaml': yaml });
          if (diagnostics.length > 0) return;
          accepted += 1;
          expect(accepts(parse(yaml))).toBe('');
        },
      ),
      { numRuns: 100 },
    );
    // If our loader refused nearly all, the test would prove nothing.
    expect(accepted).toBeGreaterThan(60);
  });

  test('the example of the reference page', () => {
    expect(accepts(parse(SERVICE_EXAMPLE))).toBe('');
  });

  const folder = fileURLToPath(new URL('system-containers/', TOP));
  test.each(readdirSync(folder))('system-containers/%s', (container) => {
    expect(accepts(parse(readFileSync(`${folder}${container}/compose.yaml`, 'utf8')))).toBe('');
  });
});
