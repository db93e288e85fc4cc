import { expect, test } from 'vitest';
import { makeBundle } from '../../../oci/bundle.ts';
import type { ImageConfig } from '../../../oci/image-config.ts';
import type { ServiceDefinition } from '../../../spec/service.ts';
import { file, root, service } from './service.ts';

const IMAGE: ImageConfig = {
  architecture: 'amd64',
  os: 'linux',
  entrypoint: ['/usr/bin/webd'],
  command: ['--from-image'],
  environment: { A: 'image', B: 'image', PATH: '/opt/bin' },
  user: 'www',
  workingDir: '/srv',
  labels: { of: 'image', 'run.oci.keep': 'never' },
  diffIds: [],
};

/** Docker's table of entrypoint and command (docs.docker.com/reference/dockerfile, "Understand how CMD and ENTRYPOINT interact"). */
test.each<[string, Partial<ServiceDefinition>, string[]]>([
  ['neither', {}, ['/usr/bin/webd', '--from-image']],
  ['a command', { command: ['--mine'] }, ['/usr/bin/webd', '--mine']],
  ['an empty command', { command: [] }, ['/usr/bin/webd']],
  ['an entrypoint drops the command of the image', { entrypoint: ['/usr/bin/sh'] }, ['/usr/bin/sh']],
  ['both', { entrypoint: ['/usr/bin/sh'], command: ['-x'] }, ['/usr/bin/sh', '-x']],
  ['an empty entrypoint and a command', { entrypoint: [], command: ['/usr/bin/sh'] }, ['/usr/bin/sh']],
])('the service gives %s', (_what, changes, args) => {
  expect(bundle(changes).process.args).toEqual(args);
});

test('environment, user, directory and labels come from the image, and the service changes them', () => {
  const untouched = bundle({});
  expect(untouched.process).toMatchObject({ cwd: '/srv', user: { uid: 33, gid: 34 } });
  expect(untouched.process.env).toEqual([
    'A=image',
    'B=image',
    'HOME=/var/www',
    'HOSTNAME=web',
    'PATH=/opt/bin',
  ]);
  expect(untouched.annotations).toMatchObject({ of: 'image' });
  expect(untouched.annotations).not.toHaveProperty(['run.oci.keep']);
  const changed = bundle({
    environment: { A: 'mine', HOME: '/h' },
    user: '0',
    workingDir: '/',
    labels: { of: 'service' },
  });
  expect(changed.process).toMatchObject({ cwd: '/', user: { uid: 0 } });
  expect(changed.process.env).toEqual(['A=mine', 'B=image', 'HOME=/h', 'HOSTNAME=web', 'PATH=/opt/bin']);
  expect(changed.annotations).toMatchObject({ of: 'service' });
});

test("a program is looked for in the image's PATH", () => {
  const made = bundle({ entrypoint: ['tool'] }, [file('/opt/bin/tool', '', 0o755)]);
  expect(made.process.args).toEqual(['tool']);
});

function bundle(changes: Partial<ServiceDefinition>, extra: Parameters<typeof root>[0] = []) {
  const { command: _command, ...definition } = service();
  return makeBundle(
    { ...definition, root: { kind: 'image', reference: 'x' }, ...changes },
    { architecture: 'amd64', root: root(extra), image: IMAGE },
  ).config;
}
