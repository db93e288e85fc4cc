/** Several documents: the one rule by which they are laid over each other. */
import { describe, expect, test } from 'vitest';
import { read, states, told } from './reading.ts';

const archive = (...documents: readonly string[]): string =>
  `#cloud-config-archive\n${documents.map((text) => `- ${JSON.stringify(`#cloud-config\n${text}\n`)}\n`).join('')}`;

describe('one document over another', () => {
  test('lists are appended, in order, whatever is equal in them', async () => {
    const { config } = await read(archive('runcmd: [a, b]', 'runcmd: [b, c]'));
    expect(config.runCommands.map(({ run }) => run)).toEqual([
      { shell: 'a' },
      { shell: 'b' },
      { shell: 'b' },
      { shell: 'c' },
    ]);
  });

  test('mappings are merged key by key, single values replaced', async () => {
    const { config } = await read(
      archive(
        'ntp: {servers: [a], enabled: false}\nhostname: x',
        'ntp: {servers: [b], enabled: true}\nhostname: z',
      ),
    );
    expect(config.ntp?.servers.map(({ value, at }) => [value, at.part])).toEqual([
      ['a', 'user-data part 1'],
      ['b', 'user-data part 2'],
    ]);
    expect([config.ntp?.enabled.value, config.hostname?.value]).toEqual([true, 'z']);
  });

  test('a user of the same name is the same user', async () => {
    const { config } = await read(
      archive(
        'users: [default, {name: ann, groups: [a], shell: /bin/sh}, {name: bob}]',
        'users: [default, bob, {name: ann, groups: [b], shell: /bin/ash}]',
      ),
    );
    expect(
      config.users?.entries.map(({ name, groups, shell }) => [
        name?.value,
        groups.map(({ value }) => value),
        shell?.value,
      ]),
    ).toEqual([
      ['ann', ['a', 'b'], '/bin/ash'],
      ['bob', [], undefined],
    ]);
  });

  test('a file of the same path takes the place of the earlier one, unless it is to be appended', async () => {
    const { config } = await read(
      archive(
        'write_files: [{path: /var/a, content: YQ==, encoding: b64}, {path: /var/b, content: b}]',
        'write_files: [{path: /var/a, content: new}, {path: /var/b, content: more, append: true}]',
      ),
    );
    expect(config.files.map(({ path, content }) => [path.value, content.value])).toEqual([
      ['/var/a', { text: 'new' }],
      ['/var/b', { text: 'b' }],
      ['/var/b', { text: 'more' }],
    ]);
  });

  test('a mount with the same mount point takes the place of the earlier one', async () => {
    const { config } = await read(
      archive('mounts: [[/dev/vdb, /data], [/dev/vdc, /other]]', 'mounts: [[/dev/vdd, /data]]'),
    );
    expect(config.mounts.map(({ device, target }) => [device.value, target.value])).toEqual([
      ['/dev/vdd', '/data'],
      ['/dev/vdc', '/other'],
    ]);
  });

  test('what cannot be merged is replaced, and told', async () => {
    const result = await read(archive('users: [ann]', 'users: bob'));
    expect(result.config.users?.entries.map(({ name }) => name?.value)).toEqual(['bob']);
    expect(told(result)).toEqual([
      '2: warning: this takes the place of the list in user-data part 1:2: it is a single value, so they cannot be merged',
    ]);
  });

  test('each document has its own line for a key', async () => {
    const { keys } = await read(archive('runcmd: [a]', 'hostname: x\nruncmd: [b]'));
    expect(keys.map(({ key, file, line }) => [key, file, line])).toEqual([
      ['runcmd', 'user-data part 1', 2],
      ['hostname', 'user-data part 2', 2],
      ['runcmd', 'user-data part 2', 3],
    ]);
  });
});

describe('vendor-data', () => {
  const vendorData = '#cloud-config\nhostname: theirs\nruncmd: [theirs]\n';

  test('lies under user-data', async () => {
    const { config } = await read('#cloud-config\nhostname: mine\nruncmd: [mine]\n', { vendorData });
    expect(config.hostname).toMatchObject({ value: 'mine', at: { part: 'user-data' } });
    expect(config.runCommands.map(({ run }) => run)).toEqual([{ shell: 'theirs' }, { shell: 'mine' }]);
  });

  test('can be left out, which is told', async () => {
    const result = await read('#cloud-config\nvendor_data: {enabled: no}\n', { vendorData });
    expect(result.config.hostname).toBeUndefined();
    expect(states(result)).toEqual(['document ignored', 'vendor_data applied']);
  });
});

test.each([
  ["merge_how: 'list(append)+dict(recurse_array)+str()'", []],
  ['merge_type: [{name: list, settings: [append]}, {name: dict, settings: [recurse_list]}]', []],
  ['merge_how: sideways', ["2: expected a way of merging, found the text 'sideways'"]],
  [
    'merge_how: [{name: set, settings: []}]',
    ["2: expected one of 'list', 'dict', 'str', found the text 'set'"],
  ],
])('%s is read, and changes nothing', async (line, faults) => {
  const result = await read(`#cloud-config\n${line}\n`);
  expect(told(result)).toEqual(faults);
  expect(states(result)).toEqual([`${line.split(':')[0] ?? ''} ${faults.length > 0 ? 'failed' : 'ignored'}`]);
});
