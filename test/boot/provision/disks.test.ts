/**
 * A machine with what is built into its image, then with a second disk, swap, certificates and commands of each boot: live, after a start, with a full
 * state partition, and forgotten again. In the full run only: it starts three times.
 */
import { execFileSync } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskSource } from '../../../cli/run-input.ts';
import type { Machine } from '../../../lab/machine.ts';
import type { SshAccess } from '../../../lab/ssh.ts';
import type { ConfigStatus } from '../../../spec/provisioning.ts';
import { buildTestImage, WORK } from '../image.ts';
import {
  expectQuietConsole,
  HEALTHY_LIMIT_MS,
  healthyMachine,
  slipStatus,
  ssh,
  startTestMachine,
} from '../machine.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const OVERLAY = join(WORK, 'disks.qcow2');
const DATA = join(WORK, 'disks-data.img');
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;

describe.runIf(FULL)('a machine with disks of its own', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;
  let machine: Machine;
  let admin: SshAccess;

  beforeAll(async () => {
    await Promise.all([OVERLAY, DATA].map((path) => rm(path, { force: true })));
    execFileSync('truncate', ['-s', '256M', DATA]);
    source = await buildTestImage('test/boot/images/disks.yaml');
    machine = await startTestMachine({
      name: 'disks',
      disk: source.disk,
      diskSizeBytes: source.machineDiskBytes,
      overlay: OVERLAY,
      memoryMiB: 256,
      extraDisks: [{ path: DATA, format: 'raw', serial: 'data' }],
    });
    admin = (await healthyMachine(machine, source.user)).access;
  }, LIMIT_MS);

  afterAll(async () => {
    await machine?.close();
    await Promise.all([OVERLAY, DATA].map((path) => rm(path, { force: true })));
  });

  test('it is what its image says, where nobody else says anything', async () => {
    expect(await status()).toMatchObject({ source: 'built-in', state: 'applied', problems: [] });
    expect(await root('hostname; cat /var/data/told')).toBe('built-in\nby the image');
  });

  test('live: a table, a file system, a mount, swap, certificates, a command of each boot', async () => {
    const { certificate, fingerprint } = makeCertificate();
    await ssh(admin, 'cat >wanted', wanted(certificate));
    expect(JSON.parse(await ssh(admin, 'slip config apply wanted --json'))).toMatchObject({
      source: 'operator',
      problems: [],
    });
    await isAsWanted(fingerprint);
    await root('echo kept >/var/mnt/data/kept; sync');
  });

  test('started again: all of it is there, nothing of it was made anew', async () => {
    await restart();
    expect(await status()).toMatchObject({ source: 'operator', problems: [] });
    expect(await root('cat /var/mnt/data/kept; wc -l </var/data/boots')).toMatch(/^kept\n1$/m);
    expect(await root('cat /proc/swaps')).toMatch(/^\/var\/swap\s+file\s/m);
    expect((await slipStatus(admin)).problems).toEqual([]);
    // What a boot with mounts, swap and commands waits for.
    const timeline = await root('cat /run/slipway/boot/timeline');
    process.stderr.write(`a boot with mounts, swap, certificates and a bootcmd:\n${timeline}`);
  });

  test('a full state partition: told, in reach, and right once there is room', async () => {
    await root(
      'dd if=/dev/zero of=/var/fill bs=1M 2>/dev/null; dd if=/dev/zero of=/var/fill2 bs=4k 2>/dev/null; df /var',
    );
    const more = `#cloud-config\nhostname: full\nwrite_files: [{ path: /var/data/large, content: '${'x'.repeat(60_000)}' }]\n`;
    // In memory: there is no room at home, either.
    await ssh(admin, 'cat >/tmp/more', more);
    const said = await ssh(admin, 'slip config apply /tmp/more --json || true');
    const failed = JSON.parse(said) as ConfigStatus;
    expect(failed.state).toBe('failed');
    expect(failed.problems.join('\n')).toMatch(/no space left|cannot be kept/);
    expect(await ssh(admin, 'hostname')).toBe('full\n');
    expect((await slipStatus(admin)).problems.join('\n')).toMatch(/^provisioning: /m);
    await root('rm /var/fill /var/fill2');
    expect(JSON.parse(await ssh(admin, 'slip config apply /tmp/more --json'))).toMatchObject({
      state: 'applied',
      problems: [],
    });
    expect(await root('wc -c </var/data/large')).toMatch(/^60000$/m);
  });

  test('reset: what is built in is heard again', async () => {
    await ssh(admin, 'slip config reset');
    await restart();
    expect(await status()).toMatchObject({ source: 'built-in', state: 'applied', problems: [] });
    expect(await root('hostname; cat /proc/swaps | wc -l; grep -c /var/mnt/data /proc/mounts || true')).toBe(
      'built-in\n1\n0\n',
    );
  });

  test('its console shows no fault of the machine', () => {
    expectQuietConsole(machine);
  });

  async function isAsWanted(fingerprint: string): Promise<void> {
    expect(await root('grep /var/mnt/data /proc/mounts')).toMatch(
      /^\/dev\/vdb1 \/var\/mnt\/data ext4 \S*nosuid,nodev,noatime/,
    );
    expect(await root('cat /proc/swaps')).toMatch(/^\/var\/swap\s+file\s+16380/m);
    expect(await root('tail -c 4000 /run/etc/ssl/ca-certificates.crt')).toContain(fingerprint);
  }

  async function status(): Promise<ConfigStatus> {
    return JSON.parse(await ssh(admin, 'slip config status --json')) as ConfigStatus;
  }

  function root(command: string): Promise<string> {
    return ssh(admin, `slip shell -T -- sh -c '${command}'`);
  }

  async function restart(): Promise<void> {
    const seen = machine.events.length;
    await ssh(admin, 'slip reboot').catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    admin = (await healthyMachine(machine, source.user)).access;
  }
});

/** As a company's own authority; `fingerprint`: a line of it that no other certificate has. */
function makeCertificate(): { readonly certificate: string; readonly fingerprint: string } {
  const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const certificate = execFileSync(
    'openssl',
    [...words, '-subj', '/CN=test', '-days', '30', '-keyout', '/dev/null'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  return { certificate, fingerprint: certificate.split('\n')[2] ?? '' };
}

function wanted(certificate: string): string {
  return `#cloud-config
hostname: disks
disk_setup:
  /dev/vdb: { table_type: gpt, layout: true }
fs_setup:
  - { device: /dev/vdb, partition: 1, filesystem: ext4, label: data }
mounts:
  - [LABEL=data, /var/mnt/data, auto, 'noatime']
swap: { filename: /var/swap, size: 16M }
ca_certs:
  trusted:
    - |
${certificate.trimEnd().replace(/^/gm, '      ')}
bootcmd:
  - echo boot >>/var/data/boots
`;
}
