/** One run of an image as a user wants it: its machine, what it keeps between runs, and a way to log in. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MachineReport } from '../spec/machine.ts';
import { startMachine, type Machine, type MachineOptions } from './machine.ts';
import { prepareSsh, ssh, sshKey, type SshAccess, type SshKey } from './ssh.ts';

export interface SessionOptions extends Omit<MachineOptions, 'overlay' | 'variableStore' | 'authorizedKeys'> {
  /** Where the key pair, and with `keep` the machine's writes, lie. */
  readonly directory: string;
  /** `throw-away`: nothing that the machine writes is kept. */
  readonly writes: 'keep' | 'throw-away';
  readonly sshPort?: number;
  /** Called when what an earlier run had kept does not fit this image any more and is dropped. */
  readonly onStale?: (what: string) => void;
}

export interface Session {
  readonly machine: Machine;
  readonly key: SshKey;
  /** Waits for all gates. Throws with the console's last lines when it takes longer than `limitMs`. */
  readonly healthy: (limitMs: number) => Promise<Extract<MachineReport, { event: 'healthy' }>>;
  /** After `healthy`: writes an ssh_config under which `user` logs in without a question. */
  readonly access: (user: string) => Promise<SshAccess>;
  /** Shuts down from inside where that works, within the limit; else cuts the power. */
  readonly end: (access: SshAccess | undefined, limitMs: number) => Promise<void>;
}

/** Starts the machine with a key pair of its own, handed over as provisioning data. */
export async function startSession(options: SessionOptions): Promise<Session> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const key = await sshKey(directory);
  const keep = options.writes === 'keep' ? await keptFiles(options) : {};
  const machine = await startMachine({
    ...options,
    ...keep,
    authorizedKeys: key.publicKey,
    console: options.console ?? join(directory, 'console.log'),
    ports: [...(options.ports ?? []), { host: options.sshPort ?? 0, guest: 22 }],
  });
  return {
    machine,
    key,
    healthy: (limitMs) => machine.waitForReport('healthy', limitMs),
    access: (user) => prepareSsh(directory, { key, port: machine.sshPort, user }),
    end: async (access, limitMs) => {
      if (access !== undefined) await powerOff(machine, access, limitMs);
      await machine.close();
    },
  };
}

/** Overlay and firmware variables of earlier runs; dropped when the image or the keys under them are others. */
async function keptFiles(options: SessionOptions): Promise<{ overlay: string; variableStore: string }> {
  const kept = {
    overlay: join(options.directory, 'disk.qcow2'),
    variableStore: join(options.directory, 'variables.fd'),
  };
  const marker = join(options.directory, 'base.json');
  const { size, mtimeMs, ino } = await stat(options.disk);
  const keys = createHash('sha256');
  for (const list of [options.secureBoot?.PK, options.secureBoot?.KEK, options.secureBoot?.db]) {
    keys.update(list ?? '');
  }
  const base = JSON.stringify({ size, mtimeMs, ino, keys: keys.digest('hex') });
  const known = await readFile(marker, 'utf8').catch(() => '');
  if (known !== base) {
    if (existsSync(kept.overlay)) options.onStale?.('the image was built anew: the machine starts afresh');
    for (const path of Object.values(kept)) await rm(path, { force: true });
    await writeFile(marker, base);
  }
  return kept;
}

async function powerOff(machine: Machine, access: SshAccess, limitMs: number): Promise<void> {
  // The connection may well be cut before the command's answer; that QEMU ends is the answer.
  void ssh(access, 'slip poweroff', { timeoutMs: limitMs }).catch(() => undefined);
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([machine.exited, limit]);
  clearTimeout(timer);
}
