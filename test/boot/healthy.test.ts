import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../builder/process/run.ts';
import type { Manifest } from '../../builder/build/manifest.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import type { Machine } from '../../lab/machine.ts';
import { sshKey, type SshAccess } from '../../lab/ssh.ts';
import type { MachineStatus } from '../../spec/machine.ts';
import { WORK } from './image.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, slipStatus, ssh, startHealthy } from './machine.ts';
import { expectCleanState, withStateOf } from './state-disk.ts';

const OVERLAY = join(WORK, 'healthy.qcow2');
const LIMIT_MS = 2 * HEALTHY_LIMIT_MS;

/** One machine with 256 MB, through its life: first boot, logging in, a reboot, a shutdown. */
describe('a machine from images/minimal.yaml with 256 MB of memory', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;
  let machine: Machine;
  let status: MachineStatus;
  let access: SshAccess;

  beforeAll(async () => {
    await rm(OVERLAY, { force: true });
    ({ source, machine, status, access } = await startHealthy('images/minimal.yaml', {
      name: 'healthy',
      overlay: OVERLAY,
      memoryMiB: 256,
      cpus: 2,
    }));
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await rm(OVERLAY, { force: true });
  });

  test('every gate is healthy, from the root that was signed', async () => {
    const manifest = JSON.parse(
      await readFile(join(dirname(source.disk), 'manifest.json'), 'utf8'),
    ) as Manifest;
    expect(status).toMatchObject({ boot: 'healthy', problems: [], slot: 'a', watchdog: 'hardware' });
    expect(status.rootHash).toBe(manifest.rootHash);
    expect(status.services.map(({ name }) => name).sort()).toEqual(['network', 'ssh', 'time']);
    for (const service of status.services) {
      expect(service).toMatchObject({ state: 'running', health: 'healthy', gate: true, restarts: 0 });
    }
  });

  test('Secure Boot is on', () => {
    expect(machine.console()).toContain('UEFI Secure Boot is enabled');
  });

  test('an operator logs in with a key and sees the status', async () => {
    expect(await ssh(access, 'id')).toMatch(/uid=1000\(admin\).*operators/);
    expect(await ssh(access, 'slip status')).toMatch(/network.*running.*healthy/);
    expect(await slipStatus(access)).toMatchObject({ boot: 'healthy', rootHash: status.rootHash });
  });

  test('exit status and binary data pass through', async () => {
    await expect(ssh(access, 'exit 7')).rejects.toThrow(/exit code 7/);
    expect(await ssh(access, 'md5sum', 'x'.repeat(1_000_000))).toContain('ec78dbd963d2fc01e51176ed4dec299e');
  });

  test('a terminal works, and `slip shell` in it is root on the host, with its size and exit status', async () => {
    // script gives ssh a terminal of 100 by 30; -tt asks for one on the other side.
    const inner = `stty size; id -u; [ $(readlink /proc/self/ns/mnt) = $(readlink /proc/1/ns/mnt) ] && echo host$((40+2)); exit 5`;
    const command = `stty rows 30 cols 100; ${access.command.join(' ')} -tt slip shell`;
    const { stdout } = await run(
      ['script', '--quiet', '--return', '--command', `${command}; echo code=$?`, '/dev/null'],
      { input: `${inner}\n`, timeoutMs: 60_000 },
    );
    const text = stdout.toString('utf8');
    expect(text).toMatch(/^30 100\r?$/m);
    expect(text).toMatch(/^0\r?$/m);
    expect(text).toMatch(/^host42\r?$/m);
    expect(text).toMatch(/code=5/);
  });

  test('no password and no other key works', async () => {
    const stranger = await sshKey(join(WORK, 'ssh', 'stranger'));
    const attempt = (options: readonly string[]): Promise<unknown> =>
      run(['ssh', '-F', access.configuration, '-o', 'BatchMode=yes', ...options, 'machine', 'id'], {
        timeoutMs: 60_000,
      });
    await expect(
      run(
        [
          ...['ssh', '-F', '/dev/null', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no'],
          ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'IdentityAgent=none', '-i', stranger.privateKey],
          ...['-p', String(machine.sshPort), `${source.user}@127.0.0.1`, 'id'],
        ],
        { timeoutMs: 60_000 },
      ),
    ).rejects.toThrow(/Permission denied \(publickey\)/);
    await expect(
      attempt([
        '-o',
        'PreferredAuthentications=password,keyboard-interactive',
        '-o',
        'PubkeyAuthentication=no',
      ]),
    ).rejects.toThrow(/Permission denied \(publickey\)/);
  });

  test('after a reboot it is healthy again, with the same host key', async () => {
    const seen = machine.events.length;
    await ssh(access, 'slip reboot').catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    const again = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
    expect(again.status.problems).toEqual([]);
    expect(await ssh(access, 'echo still here')).toBe('still here\n');
  });

  test('it shuts down cleanly: the state partition needs no replay', async () => {
    await ssh(access, 'slip poweroff').catch(() => undefined);
    expect(await machine.exited).toMatchObject({ code: 0 });
    expect(machine.reports.at(-1)).toMatchObject({ event: 'shutdown', action: 'poweroff' });
    await withStateOf(OVERLAY, expectCleanState);
  });

  test('its console shows no fault', () => {
    expectQuietConsole(machine);
  });
});
