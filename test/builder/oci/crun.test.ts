import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import type { ServiceDefinition, VolumeMount } from '../../../spec/service.ts';
import { hasAllCapabilities, openCrun, runContainer } from './crun.ts';

const crun = await openCrun();
if (typeof crun === 'string') process.stdout.write(`skipped: ${crun}\n`);
const complete = hasAllCapabilities();
if (!complete) process.stdout.write('skipped: root lacks capabilities here\n');

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'slipway-crun-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

const STATUS = "grep -E '^(CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status | tr -d '\\t'";

/** compose key -> service -> what runs in the container -> what it must print -> how the machine is prepared. */
const CASES: readonly [string, Partial<ServiceDefinition>, string, string | RegExp, string?][] = [
  ['the root is read-only', {}, 'touch /x', /Read-only file system/],
  ['read_only: false', { readOnly: false }, 'echo written >/x; cat /x', 'written\n'],
  [
    'the default capabilities and filter',
    {},
    STATUS,
    'CapEff:00000000a80425fb\nCapBnd:00000000a80425fb\nCapAmb:0000000000000000\nNoNewPrivs:0\nSeccomp:2\n',
  ],
  ['cap_drop: ALL', { capDrop: ['ALL'], capAdd: ['SYS_TIME'] }, STATUS, /CapEff:0000000002000000/],
  [
    'a user that is not root keeps what cap_add names',
    { user: 'www', capAdd: ['NET_ADMIN'] },
    STATUS,
    /CapEff:0000000000001000[^]*CapAmb:0000000000001000/,
  ],
  [
    'privileged',
    { privileged: true },
    `${STATUS}; test -w /sys/kernel && ls /dev/vda /dev/loop-control /dev/mem 2>/dev/null | wc -l`,
    /CapEff:0*[13]ff[^]*Seccomp:0/,
  ],
  [
    'no-new-privileges',
    { securityOpt: { noNewPrivileges: true, seccomp: 'default' } },
    STATUS,
    /NoNewPrivs:1/,
  ],
  [
    'seccomp: unconfined',
    { securityOpt: { noNewPrivileges: false, seccomp: 'unconfined' } },
    STATUS,
    /Seccomp:0/,
  ],
  [
    'unshare is filtered',
    { capAdd: ['NET_ADMIN'] },
    'busybox unshare -n true 2>/dev/null || echo refused',
    'refused\n',
  ],
  [
    'user, with its groups',
    { user: 'www' },
    'id; echo $HOME',
    'uid=33(www) gid=34(www) groups=4(adm),34(www)\n/srv\n',
  ],
  ['group_add', { user: '7:8', groupAdd: ['adm', '99'] }, 'busybox id -G', '8 4 99\n'],
  [
    'working_dir, environment',
    { workingDir: '/srv', environment: { A: 'b c' } },
    'pwd; echo "$A"',
    '/srv\nb c\n',
  ],
  ['hostname', { hostname: 'box' }, 'busybox hostname; echo $HOSTNAME', 'box\nbox\n'],
  [
    'network_mode: none has a loopback and nothing else',
    {},
    'busybox ip -o link | busybox cut -d: -f2; busybox ip -o -4 addr | grep -c 127.0.0.1',
    ' lo\n1\n',
  ],
  [
    "network_mode: host has the machine's names",
    { networkMode: 'host' },
    'cat /etc/resolv.conf /etc/hosts',
    'nameserver 192.0.2.1\n127.0.0.1 machine\n',
  ],
  ['pid: private', {}, 'echo $$', '1\n'],
  ['pid: host', { pid: 'host' }, 'test $$ -gt 1 && test -e /proc/2 && echo many', 'many\n'],
  [
    'ulimits',
    { ulimits: [{ name: 'nofile', soft: 1000, hard: 2000 }] },
    'ulimit -n; ulimit -H -n',
    '1000\n2000\n',
  ],
  [
    'a ulimit without limit',
    { ulimits: [{ name: 'memlock', soft: -1, hard: -1 }] },
    'busybox test "$(ulimit -l)" != 64 && echo more',
    'more\n',
  ],
  ['sysctls', { sysctls: { 'net.ipv4.ip_forward': '1' } }, 'cat /proc/sys/net/ipv4/ip_forward', '1\n'],
  ['oom_score_adj', { oomScoreAdj: 77 }, 'cat /proc/self/oom_score_adj', '77\n'],
  [
    'tmpfs',
    { volumes: [{ kind: 'tmpfs', target: '/cache', sizeBytes: 65536, mode: 0o700 }] },
    'busybox df -k /cache | busybox tail -1 | busybox awk "{print \\$2}"; busybox stat -c %a /cache',
    '64\n700\n',
  ],
  [
    'a named volume',
    { volumes: [{ kind: 'volume', name: 'data', target: '/srv/data', readOnly: false }] },
    'echo kept >/srv/data/x; cat /srv/data/x',
    'kept\n',
  ],
  [
    'a read-only bind, all that is mounted in it included',
    { volumes: [bindOf('/run/shared', '/shared', true)] },
    'touch /shared/x /shared/inner/x 2>&1 | grep -c Read-only',
    '2\n',
    'mkdir -p /run/shared/inner; mount -t tmpfs none /run/shared/inner',
  ],
  [
    'a mount that the machine makes later shows in a slave bind',
    { volumes: [{ ...bindOf('/run/shared', '/shared', false), propagation: 'rslave' } as VolumeMount] },
    'for i in 1 2 3 4 5 6 7 8 9 10; do test -e /shared/in/mark && break; busybox sleep 0.5; done; cat /shared/in/mark',
    'here\n',
    'mkdir -p /run/shared/in; mount --make-shared /run; (sleep 1; mount -t tmpfs none /run/shared/in; echo here >/run/shared/in/mark) &',
  ],
  [
    'a file bound where the root has none',
    { volumes: [bindOf('/run/etc/extra', '/etc/extra', true)] },
    'cat /etc/extra',
    'here\n',
    'echo here >/run/etc/extra',
  ],
  [
    'a bind below a tmpfs',
    { volumes: [{ kind: 'tmpfs', target: '/run' }, bindOf('/run/etc/extra', '/run/a/extra', true)] },
    'cat /run/a/extra',
    'here\n',
    'echo here >/run/etc/extra',
  ],
  [
    'state',
    { state: [{ path: '/var/lib/app', uid: 33, gid: 34, mode: 0o700 }], user: 'www' },
    'echo kept >/var/lib/app/x; cat /var/lib/app/x; busybox stat -c "%a %u" /var/lib/app',
    'kept\n700 33\n',
  ],
  [
    'devices',
    { devices: [{ source: '/dev/net/tun', target: '/dev/net/tun', permissions: 'rw' }] },
    'busybox stat -c "%t:%T" /dev/net/tun',
    'a:c8\n',
  ],
  [
    'a device that was not given',
    {},
    'busybox mknod /dev/disk b 254 0; busybox dd if=/dev/disk count=1 2>&1 | grep -c "Operation not permitted"',
    '1\n',
  ],
  [
    'masked and read-only paths',
    {},
    'cat /proc/keys /proc/timer_list; busybox ls /sys/firmware /proc/acpi 2>/dev/null | busybox grep -v :; (echo 1 >/proc/sys/kernel/panic) 2>&1 | grep -c Read-only',
    /^\s*1\n$/,
  ],
  [
    'the shared memory of its own',
    {},
    'busybox df -k /dev/shm | busybox tail -1 | busybox awk "{print \\$2}"',
    '65536\n',
  ],
];

describe.skipIf(typeof crun === 'string')('in a real container', () => {
  const toolbox = crun as Toolbox;
  const privileged = ['privileged', 'a ulimit without limit'];
  test.each(CASES.filter(([name]) => complete || !privileged.includes(name)))(
    '%s',
    (_name, changes, script, expected, machine) => {
      const { stdout, stderr } = runContainer(toolbox, scratch, changes, `exec 2>&1\n${script}`, machine);
      if (typeof expected === 'string') expect(stdout, stderr).toBe(expected);
      else expect(stdout, stderr).toMatch(expected);
    },
  );

  test("its exit status is the service's", () => {
    expect(runContainer(toolbox, scratch, {}, 'exit 7').status).toBe(7);
  });
});

function bindOf(source: string, target: string, readOnly: boolean): ServiceDefinition['volumes'][number] {
  return { kind: 'bind', source, target, readOnly, propagation: '', createHostPath: false };
}
