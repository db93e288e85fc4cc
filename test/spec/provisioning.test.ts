/** `provisioning:` of image definitions: the policy that machines get, and every fault at its place. */
import { expect, test } from 'vitest';
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
