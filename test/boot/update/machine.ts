/** A machine that follows a test repository: its steps, each waited for by a signal from the machine. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../../../lab/machine.ts';
import { ssh as sshRun, type SshAccess } from '../../../lab/ssh.ts';
import type { MachineStatus } from '../../../spec/machine.ts';
import {
  expectQuietConsole,
  HEALTHY_LIMIT_MS,
  slipStatus,
  ssh,
  sshAccess,
  startTestMachine,
  type TestMachineOptions,
} from '../machine.ts';
import type { TestRepository } from './repository.ts';
import { UPDATE_WORK, type BuiltVersion } from './versions.ts';

export interface UpdatingMachine {
  readonly machine: Machine;
  readonly access: SshAccess;
  readonly status: () => Promise<MachineStatus>;
  /** `slip update ... --json`, parsed; throws when it fails. */
  readonly update: (...words: string[]) => Promise<Record<string, unknown>>;
  /** Applies what is due, and returns once this machine has started again and is healthy or degraded, whatever version that is. */
  readonly applyAndSettle: () => Promise<MachineStatus>;
  /** Waits for the next time that it is healthy, after `starts` earlier starts. */
  readonly settled: (starts: number, limitMs?: number) => Promise<MachineStatus>;
  readonly root: (command: string) => Promise<string>;
  readonly close: () => Promise<void>;
}

/** Starts `version` on a disk of its own, healthy, configured to follow `repository`. */
export async function startUpdatingMachine(
  name: string,
  version: BuiltVersion,
  repository: TestRepository,
  options: Partial<TestMachineOptions> = {},
): Promise<UpdatingMachine> {
  const overlay = join(UPDATE_WORK, `${name}.qcow2`);
  await rm(overlay, { force: true });
  const machine = await startTestMachine({
    name,
    disk: version.disk,
    diskSizeBytes: version.machineDiskBytes,
    overlay,
    memoryMiB: 512,
    cpus: 2,
    ...options,
  });
  await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
  const access = await sshAccess(machine, version.user);
  await ssh(access, `slip update config url ${repository.guestUrl}`);
  const update = async (...words: string[]): Promise<Record<string, unknown>> =>
    JSON.parse(await ssh(access, `slip update ${words.join(' ')} --json`)) as Record<string, unknown>;
  /** Starts of slipd so far, one a boot. */
  const settled = async (starts: number, limitMs = HEALTHY_LIMIT_MS): Promise<MachineStatus> => {
    await machine.waitForEvent('RESET', limitMs, starts);
    const { status } = await machine.waitForReport('healthy', limitMs);
    return status;
  };
  return {
    machine,
    access,
    status: () => slipStatus(access),
    update,
    settled,
    applyAndSettle: async () => {
      const seen = machine.events.length;
      // The connection ends with the machine.
      await sshRun(access, 'slip update apply --json', { timeoutMs: HEALTHY_LIMIT_MS }).catch(
        (error: unknown) => {
          if (machine.events.length === seen && !/closed|reset|255/i.test(String(error))) throw error;
        },
      );
      return settled(seen);
    },
    root: (command) => ssh(access, `slip shell -T -- /bin/sh -c '${command.replaceAll("'", `'\\''`)}'`),
    close: async () => {
      try {
        expectQuietConsole(machine, options.expected);
      } finally {
        await machine.close();
        await rm(overlay, { force: true });
      }
    },
  };
}
