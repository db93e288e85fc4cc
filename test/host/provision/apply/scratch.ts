/**
 * A machine in a directory: every path of the code under test leads there, but /proc/PID/fd, through which it holds directories open. Owners
 * are remembered instead of set, so that no root is needed. Programs are the workstation's; what would touch the real machine is only written down.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { applyPlan, type ApplyContext, type Applied } from '../../../../host/provision/apply/apply.ts';
import { readIds } from '../../../../host/provision/apply/accounts.ts';
import type { MachineFacts } from '../../../../host/provision/plan/facts.ts';
import { PHASES, type ConfigPlan } from '../../../../host/provision/plan/step.ts';
import type { HttpClient } from '../../../../host/provision/source/http/client.ts';
import type { ProvisioningPolicy } from '../../../../spec/provisioning.ts';
import { createNodeSystem } from '../../../../system/node.ts';
import type { FileStatus, System } from '../../../../system/system.ts';
import { plan } from '../plan/facts.ts';

export interface Scratch {
  readonly root: string;
  readonly system: System;
  readonly started: (readonly string[])[];
  /** After so many changes of files everything fails, as if the power had gone: set it, then it counts down. */
  powerAfter: number;
  /** Files that cannot grow any more. */
  full: boolean;
  write(path: string, text: string, mode?: number): void;
  read(path: string): string | undefined;
  /** `mode uid:gid` */
  ownership(path: string): string | undefined;
  apply(made: ConfigPlan, context?: Partial<ApplyContext>): Promise<Applied>;
  /** Plans with what the machine remembers, and applies. */
  run(
    lines: readonly string[],
    context?: Partial<ApplyContext>,
    facts?: Partial<MachineFacts>,
    policy?: ProvisioningPolicy,
  ): Promise<Applied>;
  remove(): void;
}

export class PowerCut extends Error {}

const HARMLESS = ['sync', 'chmod', 'fallocate', 'df'];

export function scratch(): Scratch {
  const root = mkdtempSync(join(tmpdir(), 'slipway-apply-'));
  const started: (readonly string[])[] = [];
  const owners = new Map<number, { uid: number; gid: number }>();
  const node = createNodeSystem({ log: () => undefined });
  const self: Scratch = {
    root,
    system: undefined as unknown as System,
    started,
    powerAfter: Infinity,
    full: false,
    write: (path, text, mode = 0o644) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text, { mode });
    },
    read: (path) => node.readText(join(root, path)),
    ownership: (path) => {
      const found = self.system.linkStatus(path);
      return found === undefined ? undefined : `${found.mode.toString(8)} ${found.uid}:${found.gid}`;
    },
    apply: (made, context = {}) =>
      applyPlan(self.system, made, { phases: PHASES, version: '1.0.0', ...context }),
    run: async (lines, context, facts = {}, policy) =>
      self.apply(await plan(lines, { remembered: readIds(self.system), ...facts }, policy), context),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  const at = (path: string): string =>
    path.startsWith(`/proc/${process.pid}/fd/`) ? path : join(root, path);
  const owned = (status: FileStatus | undefined): FileStatus | undefined =>
    status === undefined ? undefined : { ...status, ...(owners.get(status.inode) ?? { uid: 0, gid: 0 }) };
  /** One change of a file system. */
  const change = <Result>(action: () => Result): Result => {
    if (self.powerAfter <= 0) throw new PowerCut('the power is gone');
    self.powerAfter -= 1;
    return action();
  };
  const system: System = {
    ...node,
    readText: (path) => node.readText(at(path)),
    writeText: (path, text, mode) =>
      change(() => {
        if (self.full) throw new Error('there is no space left');
        node.writeText(at(path), text, mode);
      }),
    status: (path) => owned(node.status(at(path))),
    linkStatus: (path) => owned(node.linkStatus(at(path))),
    descriptorStatus: (fd) => owned(node.descriptorStatus(fd)),
    readLink: (path) => node.readLink(at(path)),
    list: (path) => node.list(at(path)),
    makeDirectory: (path, mode) =>
      change(() =>
        self.full && node.status(at(path)) === undefined ? false : node.makeDirectory(at(path), mode),
      ),
    makeLink: (target, path) => change(() => node.makeLink(target, at(path))),
    remove: (path) =>
      change(() => {
        const inode = node.linkStatus(at(path))?.inode;
        if (inode !== undefined) owners.delete(inode);
        return node.remove(at(path));
      }),
    rename: (from, to) => change(() => node.rename(at(from), at(to))),
    open: (path, options) => {
      if (options.access === 'read') return node.open(at(path), options);
      // The kernel's own files take what is written as a whole.
      if (path.startsWith('/proc/sys/')) writeFileSync(at(path), '');
      return change(() => node.open(at(path), options));
    },
    writeAt: (fd, offset, bytes) => change(() => !self.full && node.writeAt(fd, offset, bytes)),
    write: (fd, bytes) => change(() => (self.full ? 'failed' : node.write(fd, bytes))),
    spawn: (argv, options = {}) => {
      started.push(argv);
      const [, applet = '', ...words] = argv;
      if (applet === 'chown')
        change(() => {
          const [ids = '', ...paths] = words.filter((word) => word !== '-h');
          const [uid = 0, gid = 0] = ids.split(':').map(Number);
          for (const path of paths) owners.set(statSync(at(path)).ino, { uid, gid });
        });
      const real = HARMLESS.includes(applet)
        ? [applet, ...words.map((word) => (word.startsWith('/') ? at(word) : word))]
        : ['true'];
      return change(() => node.spawn(real, options));
    },
  };
  (self as { system: System }).system = system;
  for (const directory of [
    '/etc',
    '/run/etc',
    '/run/slipway/boot',
    '/var/lib/slipway/home',
    '/tmp',
    '/proc/sys/kernel',
    '/dev',
  ])
    mkdirSync(join(root, directory), { recursive: true });
  self.write('/run/etc/hostname', 'minimal-01234567\n');
  self.write('/run/etc/hosts', '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 minimal-01234567\n');
  self.write('/proc/sys/kernel/hostname', 'minimal-01234567\n');
  self.write('/dev/console', '');
  self.write('/dev/urandom', '');
  return self;
}

/** Answers by address; others are not there. */
export function answers(by: Readonly<Record<string, string>>): { http: HttpClient; asked: string[] } {
  const asked: string[] = [];
  const get = (url: string): Promise<Uint8Array | undefined> => {
    asked.push(url);
    const text = by[url];
    return Promise.resolve(text === undefined ? undefined : new TextEncoder().encode(text));
  };
  const http: HttpClient = {
    get,
    follow: get,
    once: (request) => {
      asked.push(`${request.method} ${request.url} ${request.body ?? ''}`);
      return Promise.resolve({
        status: by[request.url] === undefined ? 503 : 200,
        headers: new Map(),
        body: new Uint8Array(0),
      });
    },
    persist: () => Promise.reject(new Error('not used here')),
    pause: () => Promise.resolve(),
    remainingMs: () => 60_000,
  };
  return { http, asked };
}

/** `key line state: reason` */
export function told({ keys }: Applied): string[] {
  return keys.map(
    ({ key, line, state, reason }) => `${key} ${line} ${state}${reason === null ? '' : `: ${reason}`}`,
  );
}
