/**
 * Machines that are handed their configuration: on a disc, by the firmware, as an address. Each does as it says at its first start, is the same after
 * another one, and what production's default lets nobody do is refused with the line that would allow it. In the full run only: each row is two boots.
 */
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { publicKeyText, sshKey } from '../../../lab/ssh.ts';
import { WORK } from '../image.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, slipStatus, ssh } from '../machine.ts';
import { HANDED, type Means } from './handed.ts';
import { eventually, FULL, startProvisioned, type ProvisionedMachine } from './provisioned.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
const ALLOWED = ['users', 'files', 'network'];

describe.runIf(FULL)('a machine that is handed its configuration', { timeout: LIMIT_MS }, () => {
  let key: string;
  let told: ProvisionedMachine | undefined;
  let means: Means | undefined;

  beforeAll(async () => {
    key = await publicKeyText(await sshKey(join(WORK, 'ssh')));
  });
  afterEach(async () => {
    await told?.close();
    await means?.server?.close();
    told = means = undefined;
  });

  test.each(Object.keys(HANDED))('%s', async (name) => {
    const { image, status, tampered, hand } = HANDED[name]!;
    means = await hand(document('first'));
    told = await startProvisioned(
      { name: name.replaceAll(' ', '-'), image, outside: 'closed', ...means.machine },
      tampered ? 'started' : 'healthy',
    );
    const first = await told.applied();
    expect(first).toMatchObject(status);
    expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
    const states = Object.fromEntries(first.keys.map((one) => [one.key, one.state]));
    expect(states).toEqual({
      hostname: 'applied',
      users: 'applied',
      write_files: 'applied',
      runcmd: 'refused',
    });
    const { reason, line } = first.keys.find((one) => one.key === 'runcmd')!;
    expect(line).toBe(9);
    expect(reason).toContain(`${first.source}: [${ALLOWED.join(', ')}`);
    expect(reason).toMatch(/, scripts\] \} \}$/);
    expect(first.problems).toEqual([`user-data:9: runcmd: refused: ${reason}`]);
    await isAsTold(told, 'first');
    const { problems } = await slipStatus(await told.accessOf('carol'));
    if (tampered) expect(problems.join('\n')).toContain('tampered');
    else expect(problems).toEqual([]);

    const asked = means.server?.requests.length ?? 0;
    await told.root('echo mine >/var/lib/app/told');
    await told.restart();
    const again = await told.applied();
    expect(again).toMatchObject({ ...status, digest: first.digest });
    expect(await told.ssh('hostname')).toBe('first\n');
    // Files are not written again while the configuration is the same.
    expect(await told.root('cat /var/lib/app/told')).toBe('mine\n');
    // Only look.js was waited for; what is at an address is asked for again, since it may have changed.
    expect(await told.root('cat /run/slipway/boot/provision.log')).toBe('');
    const { server, disc } = means;
    if (server !== undefined) {
      await eventually('it was asked again', () => server.requests.length > asked);
    }
    if (name.startsWith('a NoCloud disc')) {
      // As hypervisors do it when somebody changes a machine's configuration.
      await disc!.change(told.machine, {
        'user-data': document('second'),
        'meta-data': 'instance-id: i-disc\n',
      });
      await told.restart();
      await eventually('the changed disc is heard', async () => (await told!.ssh('hostname')) === 'second\n');
      await told.applied();
      await isAsTold(told, 'second');
    }
    expectQuietConsole(told.machine);
  });

  function document(name: string): string {
    return `#cloud-config
hostname: ${name}
users:
  - default
  - name: carol
    groups: [operators]
    ssh_authorized_keys: ['${key}']
write_files: [{ path: /var/lib/app/told, content: "by ${name}\\n", owner: carol, permissions: '0640' }]
runcmd: [touch /var/lib/app/script]
`;
  }
});

async function isAsTold(told: ProvisionedMachine, name: string): Promise<void> {
  // slipd lets her in as it hears of her.
  const carol = await told.accessOf('carol');
  await eventually('carol logs in', async () => (await ssh(carol, 'id -un')) === 'carol\n');
  expect(await ssh(carol, 'hostname')).toBe(`${name}\n`);
  expect(await told.root('stat -c "%a %U" /var/lib/app/told; cat /var/lib/app/told; ls /var/lib/app')).toBe(
    `640 carol\nby ${name}\ntold\n`,
  );
}
