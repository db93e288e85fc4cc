import { describe, expect, test } from 'vitest';
import { makeBundle, type BundleContext } from '../../../oci/bundle.ts';
import type { ServiceDefinition } from '../../../spec/service.ts';
import { directory, file, root, service } from './service.ts';
import { rootView } from '../../../builder/oci/root-view.ts';

const CHECK = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0, startIntervalMs: 1 };
const NO_SHELL = rootView([file('/usr/bin/webd', '', 0o755), directory('/etc')]);

/** What is wrong -> the service -> code, and what the message or its hint names. */
const CASES: readonly [string, Partial<ServiceDefinition>, string, RegExp, Partial<BundleContext>?][] = [
  [
    'a program that the root lacks',
    { command: ['/usr/bin/nginx'] },
    'bundle.program',
    /has no \/usr\/bin\/nginx/,
  ],
  [
    'a program that PATH does not lead to',
    { command: ['nginx'] },
    'bundle.program',
    /in PATH \(\/usr\/local\/sbin/,
  ],
  ['a program that cannot be executed', { command: ['/usr/share/readme'] }, 'bundle.program', /mode 0755/],
  ['a directory as the program', { command: ['/etc'] }, 'bundle.program', /has no \/etc/],
  ['nothing to run', { command: [] }, 'bundle.command', /nothing to run/],
  [
    "an entrypoint that drops the image's command",
    { command: [], entrypoint: [], root: { kind: 'image', reference: 'x' } },
    'bundle.command',
    /drops the image's own command/,
  ],
  [
    'CMD-SHELL where there is no shell',
    { healthCheck: { command: ['CMD-SHELL', 'true'], ...CHECK } },
    'bundle.program',
    /healthcheck.*no \/bin\/sh[^]*no shell in this root/,
    { root: NO_SHELL },
  ],
  [
    'a check whose program is missing',
    { healthCheck: { command: ['CMD', 'curl', 'x'], ...CHECK } },
    'bundle.program',
    /healthcheck: the root file system has no curl/,
  ],
  ['an unknown user', { user: 'nobody' }, 'bundle.user', /user "nobody".*\/etc\/passwd/],
  ['an unknown group', { user: 'www:wheel' }, 'bundle.user', /group "wheel"/],
  ['an unknown group in group_add', { groupAdd: ['video'] }, 'bundle.user', /group "video"/],
  ['a user number that means "unchanged"', { user: '4294967295' }, 'bundle.user', /4294967295/],
  [
    'an unknown capability',
    { capAdd: ['NET_ADMINISTRATION'] },
    'bundle.capability',
    /CAP_NET_ADMINISTRATION/,
  ],
  ['an unknown capability to drop', { capDrop: ['SYS_EVERYTHING'] }, 'bundle.capability', /SYS_EVERYTHING/],
  [
    'a sysctl of the machine',
    { sysctls: { 'vm.swappiness': '1' } },
    'bundle.sysctl',
    /not a container's own/,
  ],
  [
    "a sysctl of the machine's network",
    { networkMode: 'host', sysctls: { 'net.ipv4.ip_forward': '1' } },
    'bundle.sysctl',
    /network_mode: host/,
  ],
  [
    "a sysctl of the machine's IPC",
    { ipc: 'host', sysctls: { 'kernel.shmmax': '1' } },
    'bundle.sysctl',
    /ipc: host/,
  ],
  ['an unknown ulimit', { ulimits: [{ name: 'files', soft: 1, hard: 1 }] }, 'bundle.ulimit', /files/],
  [
    'a soft ulimit above the hard one',
    { ulimits: [{ name: 'core', soft: 2, hard: 1 }] },
    'bundle.ulimit',
    /exceeds/,
  ],
  ['unlimited above a limit', { ulimits: [{ name: 'core', soft: -1, hard: 1 }] }, 'bundle.ulimit', /exceeds/],
  [
    'a device whose number only the kernel knows',
    { devices: [{ source: '/dev/vda', target: '/dev/vda', permissions: 'rwm' }] },
    'bundle.device',
    /\/dev\/vda[^]*privileged/,
  ],
  [
    'a label that would steer crun',
    { labels: { 'run.oci.hooks.stdout': 'x' } },
    'bundle.label',
    /run\.oci\.hooks/,
  ],
  [
    'a seccomp profile that nobody read',
    { securityOpt: { noNewPrivileges: false, seccomp: '/p.json' } },
    'bundle.seccomp',
    /p\.json/,
  ],
];

describe('refused at build time, with a hint', () => {
  test.each(CASES)('%s', (_what, changes, code, message, context) => {
    try {
      makeBundle(service(changes), { architecture: 'amd64', root: root(), ...context });
    } catch (error) {
      const { message: text, hint, code: actual } = error as { message: string; hint?: string; code: string };
      expect(`${text}\n${hint}`).toMatch(message);
      expect(text).toContain('web');
      expect(actual).toBe(code);
      return;
    }
    expect.fail('it was accepted');
  });
});

test('a program that a mount brings is not looked for in the root', () => {
  const volumes = [
    {
      kind: 'bind',
      source: '/usr/lib/slipway',
      target: '/opt/slipway',
      readOnly: true,
      propagation: '',
      createHostPath: false,
    },
  ] as const;
  const made = makeBundle(service({ command: ['/opt/slipway/tool'], volumes }), {
    architecture: 'amd64',
    root: root(),
  });
  expect(made.config.process.args).toEqual(['/opt/slipway/tool']);
});
