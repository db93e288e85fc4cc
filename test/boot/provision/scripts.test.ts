/** Scripts of a machine whose owner lets a source run them, in a container: with its capabilities and no others, once an instance. In the full run only. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectQuietConsole, HEALTHY_LIMIT_MS } from '../machine.ts';
import { FULL, startProvisioned, type ProvisionedMachine } from './provisioned.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
/** CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE, of capabilities(7). */
const CAPABILITIES = '00000000000004fb';

/** What a script says of where it runs; each line that begins with `broke out` should never be written. */
const REPORT = `
mkdir -p /var/lib/app && exec >>/var/lib/app/$NAME 2>/dev/null
grep -E '^(Cap(Eff|Bnd|Prm)|NoNewPrivs|Seccomp):' /proc/self/status
echo "$INSTANCE_ID $(ls /var/lib/slipway /var/log/slipway | grep -c '^[a-z]')"
chown 1000:1000 /var/lib/app/$NAME
mount -t tmpfs tmpfs /tmp && echo broke out: mount
mknod /tmp/vda b 253 0 && echo broke out: mknod
echo changed >/proc/sys/kernel/hostname && echo broke out: sysctl
touch /usr/changed /etc/changed && echo broke out: root
chroot / true && echo broke out: chroot
date -s 2000-01-01 >/dev/null; [ $(date +%Y) != 2000 ] || echo broke out: clock
ip link set lo down && echo broke out: network
ps | grep -q '[s]lipd' && echo broke out: processes
echo end
`;

/** A configuration and a script beside it, as cloud-init's users put several documents into one. */
const USER_DATA = `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=="

--==
Content-Type: text/cloud-config

#cloud-config
hostname: scripted
runcmd:
  - |
${`NAME=runcmd\n${REPORT.trim()}`.replace(/^/gm, '    ')}
  - [touch, '/var/lib/app/with spaces']
--==
Content-Type: text/x-shellscript; charset="us-ascii"
Content-Disposition: attachment; filename="setup.sh"

#!/bin/sh
NAME=script
${REPORT.trim()}
--==--
`;

describe.runIf(FULL)('scripts in a container', { timeout: LIMIT_MS }, () => {
  let told: ProvisionedMachine;

  beforeAll(async () => {
    told = await startProvisioned({
      name: 'scripts',
      image: 'test/boot/images/provision.yaml',
      outside: 'closed',
      cidata: { 'user-data': USER_DATA, 'meta-data': 'instance-id: i-scripts\n' },
    });
  }, LIMIT_MS);

  afterAll(() => told?.close());

  test('a runcmd and a script run with the capabilities of files and users, and get nowhere else', async () => {
    const { keys, problems } = await told.applied();
    expect(problems).toEqual([]);
    expect(keys.map(({ key, state }) => `${key} ${state}`).sort()).toEqual([
      'hostname applied',
      'runcmd applied',
      'script setup.sh applied',
    ]);
    for (const name of ['runcmd', 'script'])
      expect(await told.root(`cat /var/lib/app/${name}`), name).toBe(
        [
          `CapPrm:\t${CAPABILITIES}`,
          `CapEff:\t${CAPABILITIES}`,
          `CapBnd:\t${CAPABILITIES}`,
          'NoNewPrivs:\t1',
          'Seccomp:\t2',
          'i-scripts 0',
          'end',
          '',
        ].join('\n'),
      );
    expect(await told.root('stat -c %u /var/lib/app/script; ls /var/lib/app')).toBe(
      '1000\nruncmd\nscript\nwith spaces\n',
    );
    expect(await told.ssh('hostname')).toBe('scripted\n');
    // One-shot: nothing of them is left.
    expect(await told.root('crun list -q')).not.toContain('provision-');
  });

  test('started again, neither runs again', async () => {
    await told.restart();
    await told.applied();
    expect(await told.root('grep -c end /var/lib/app/runcmd /var/lib/app/script')).toBe(
      '/var/lib/app/runcmd:1\n/var/lib/app/script:1\n',
    );
  });

  test('a script of a source that may run none is refused, with the line that would allow it', async () => {
    await told.ssh('cat >setup', '#!/bin/sh\ntouch /var/lib/app/by-operator\n');
    const said = JSON.parse(await told.ssh('slip config apply setup --json')) as unknown;
    expect(said).toMatchObject({
      source: 'operator',
      keys: [
        {
          state: 'refused',
          reason: expect.stringContaining(
            'provisioning: { sources: { operator: [users, network, services, scripts] } }',
          ) as string,
        },
      ],
    });
    expect(await told.root('ls /var/lib/app')).not.toContain('by-operator');
  });

  test('its console shows no fault of the machine', () => {
    expectQuietConsole(told.machine);
  });
});
