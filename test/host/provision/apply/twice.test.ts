/** Applying a plan twice is applying it once: whatever the document, the second run changes nothing and starts no program. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scratch } from './scratch.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGd0bG9ja2VkdG9ja2VkdG9ja2VkdG9ja2VkdG9j a@b';
const NAMES = ['ann', 'bob', 'carl'] as const;

const user = fc.record(
  {
    name: fc.constantFrom(...NAMES),
    uid: fc.option(fc.integer({ min: 1500, max: 1503 }), { nil: undefined }),
    groups: fc.uniqueArray(fc.constantFrom('sudo', 'app', 'data'), { maxLength: 2 }),
    ssh_authorized_keys: fc.constantFrom([], [KEY]),
    no_create_home: fc.boolean(),
    system: fc.boolean(),
  },
  { requiredKeys: ['name'] },
);
const file = fc.record(
  {
    path: fc.constantFrom('/var/data/a', '/var/data/deep/er/b', '/home/ann/c', '/run/app/d', '/tmp/e'),
    content: fc.string({ maxLength: 40 }),
    permissions: fc.constantFrom('0644', '0600', '0755', '0440'),
    owner: fc.constantFrom('root:root', 'ann', 'bob:app', 'root:data'),
  },
  { requiredKeys: ['path', 'content'] },
);
const document = fc.record(
  {
    users: fc.uniqueArray(user, { maxLength: 3, selector: ({ name }) => name }),
    groups: fc.uniqueArray(fc.constantFrom('app', 'data', 'other'), { maxLength: 3 }),
    write_files: fc.uniqueArray(file, { maxLength: 4, selector: ({ path }) => path }),
    hostname: fc.constantFrom('web', 'db1'),
    fqdn: fc.constant('web.example.org'),
    manage_etc_hosts: fc.boolean(),
    timezone: fc.constantFrom('Europe/Berlin', 'UTC'),
    ntp: fc.constantFrom({ servers: ['192.0.2.1'] }, { enabled: true }, { pools: ['pool.example.org'] }),
    ssh_deletekeys: fc.boolean(),
    ssh_genkeytypes: fc.constantFrom(['ed25519'], ['rsa', 'ecdsa']),
    update: fc.constantFrom({ poll: '1h' }, { channel: 'beta' }),
    final_message: fc.constant('done'),
    manage_resolv_conf: fc.constant(true),
    resolv_conf: fc.constantFrom({ nameservers: ['192.0.2.2'] }, { searchdomains: ['example.org'] }),
  },
  { requiredKeys: [] },
);

test('whatever the document', async () => {
  let changing = 0;
  await fc.assert(
    fc.asyncProperty(document, async (wanted) => {
      const machine = scratch();
      try {
        // JSON is YAML.
        const lines = Object.entries(wanted).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
        const first = await machine.run(lines);
        changing += Number(first.changed);
        machine.started.length = 0;
        const second = await machine.run(lines);
        expect([second.changed, second.restart, machine.started]).toEqual([false, [], []]);
        expect(second.keys).toEqual(first.keys);
        expect(second.machine).toEqual(first.machine);
      } finally {
        machine.remove();
      }
    }),
    { numRuns: 25 },
  );
  expect(changing).toBeGreaterThan(8);
}, 120_000);
