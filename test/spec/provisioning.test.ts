/** `provisioning:` of image definitions: the policy that machines get, and every fault at its place. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadImage } from '../../spec/load.ts';
import { DATASOURCES } from '../../spec/provisioning.ts';
import { image, places } from './memory-files.ts';

async function provisioning(yaml: string, others: Readonly<Record<string, string>> = {}) {
  const { image: definition, diagnostics } = await image({ 'image.yaml': `name: a\n${yaml}`, ...others });
  expect(diagnostics).toEqual([]);
  return definition?.provisioning;
}

test('without provisioning: nobody is heard, since nothing listens', async () => {
  expect(await provisioning('version: 1.0.0\n')).toBeUndefined();
});

test('empty: everybody is heard, and nobody may run scripts', async () => {
  const policy = (await provisioning('provisioning: {}\n'))?.policy;
  expect(policy).toMatchObject({ format: '1.0', scripts: 'container', platform: 'auto' });
  expect(Object.keys(policy?.sources ?? {})).toEqual([...DATASOURCES]);
  for (const rights of Object.values(policy?.sources ?? {}))
    expect(rights).toEqual(['users', 'files', 'network', 'services', 'update', 'disks']);
});

test('the profile debug hears scripts too', async () => {
  const { image: definition } = await image(
    { 'image.yaml': 'name: a\nprovisioning: {}\n' },
    { profiles: ['debug'] },
  );
  expect(definition?.provisioning?.policy.sources.nocloud).toContain('scripts');
});

test('every key: who is not named is not heard, rights have one order', async () => {
  const yaml = `provisioning:
  sources: { nocloud: [scripts, users, users], built-in: [] }
  scripts: host
  platform: nocloud
  user_data: config/own.yaml
`;
  expect(await provisioning(yaml, { 'config/own.yaml': '#cloud-config\n{}\n' })).toEqual({
    policy: {
      format: '1.0',
      sources: { nocloud: ['users', 'scripts'], 'built-in': [] },
      scripts: 'host',
      platform: 'nocloud',
    },
    userDataFile: '/project/config/own.yaml',
  });
});

test.each([
  ['provisioning: { sources: { nocluod: [users] } }', ["2:28 'nocluod' is no key of 'sources'"]],
  [
    'provisioning: { sources: { ec2: [user] } }',
    [
      "2:34 expected one of 'users', 'files', 'network', 'services', 'update', 'disks', 'scripts', found the text 'user'",
    ],
  ],
  ['provisioning: { sources: { ec2: all } }', ["2:33 expected a list, found the text 'all'"]],
  ['provisioning: { scripts: root }', ["2:26 expected one of 'container', 'host', found the text 'root'"]],
  ['provisioning: { platform: ec2, sources: { gce: [] } }', ['2:27 ec2 is asked, but not heard']],
  [
    'provisioning: { user_data: x, sources: { gce: [] } }',
    ['2:28 what is built in is not heard', '2:28 cannot read /project/x: there is no such file'],
  ],
])('%s', async (yaml, faults) => {
  expect(places((await image({ 'image.yaml': `name: a\n${yaml}\n` })).diagnostics)).toEqual(faults);
});

test.each([
  [
    'provisioning: { sources: { vmware: [users] } }',
    ['2:28 guestinfo cannot be read: the image has no vmware-rpctool'],
  ],
  ['provisioning: { platform: vmware }', ['2:27 guestinfo cannot be read: the image has no vmware-rpctool']],
  ['host: { packages: [open-vm-tools] }\nprovisioning: { platform: vmware }', []],
  ['host: { packages: [{ name: open-vm-tools }] }\nprovisioning: { sources: { vmware: [] } }', []],
  // Heard like all others, and not said to be the platform.
  ['provisioning: {}', []],
  [
    'provisioning: { user_data: own.yaml }',
    ['2:28 it names https addresses, and the image has no curl to ask them'],
  ],
  ['host: { packages: [curl] }\nprovisioning: { user_data: own.yaml }', []],
])('what the image lacks for a source is a warning: %s', async (yaml, expected) => {
  const own =
    '#cloud-config\n# see https://example.org\nwrite_files: [{path: /var/a, source: {uri: "https://example.org/a"}}]\n';
  const { diagnostics } = await image({ 'image.yaml': `name: a\n${yaml}\n`, 'own.yaml': own });
  expect(diagnostics.map(({ severity }) => severity)).toEqual(expected.map(() => 'warning'));
  expect(places(diagnostics)).toEqual(expected);
});

test('what is built in is read as the bytes that it is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-built-in-'));
  writeFileSync(join(directory, 'own.yaml'), '#include\nhttps://example.org/more\n');
  writeFileSync(join(directory, 'image.yaml'), 'name: a\nprovisioning: { user_data: own.yaml }\n');
  const { diagnostics } = await loadImage(join(directory, 'image.yaml'));
  rmSync(directory, { recursive: true });
  expect(diagnostics.map(({ severity, message }) => [severity, message])).toEqual([
    ['warning', 'it names https addresses, and the image has no curl to ask them'],
  ]);
});
