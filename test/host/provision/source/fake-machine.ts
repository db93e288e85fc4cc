/** A machine made of files in a directory: its /sys, /proc, /dev, /run and /usr. Block devices are images there. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createNodeSystem } from '../../../../system/node.ts';
import type { System } from '../../../../system/system.ts';

export interface FakeMachine {
  readonly root: string;
  readonly system: System;
  /** Every program that was started, instead of which `programs` were run. */
  readonly started: (readonly string[])[];
  write(path: string, content: string | Uint8Array): void;
  dmi(fields: Readonly<Record<string, string>>): void;
  /** A disk from a file that exists; `partition`: of which disk. */
  disk(name: string, image: string, partitionOf?: string): void;
  remove(): void;
}

/** What the machine's programs do: argv to output; `undefined` is exit code 1. */
export type Programs = (argv: readonly string[]) => string | undefined;

export function createFakeMachine(programs: Programs = () => undefined): FakeMachine {
  const root = mkdtempSync(join(tmpdir(), 'slipway-machine-'));
  const started: (readonly string[])[] = [];
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  write('/run/slipway/boot/disk', '/dev/vda\n');
  return {
    root,
    system: rootedSystem(root, programs, started),
    started,
    write,
    dmi: (fields) => {
      for (const [name, value] of Object.entries(fields)) write(`/sys/class/dmi/id/${name}`, `${value}\n`);
    },
    disk: (name, image, partitionOf) => {
      const sectors = Number(execFileSync('stat', ['-L', '-c', '%s', image], { encoding: 'utf8' })) / 512;
      const device = `/sys/devices/x/block/${partitionOf === undefined ? name : `${partitionOf}/${name}`}`;
      write(`${device}/size`, `${Math.floor(sectors)}\n`);
      if (partitionOf !== undefined) write(`${device}/partition`, '1\n');
      mkdirSync(join(root, 'sys/class/block'), { recursive: true });
      mkdirSync(join(root, 'dev'), { recursive: true });
      symlinkSync(`../..${device.slice('/sys'.length)}`, join(root, 'sys/class/block', name));
      symlinkSync(image, join(root, 'dev', name));
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

function rootedSystem(root: string, programs: Programs, started: (readonly string[])[]): System {
  const node = createNodeSystem();
  const at = (path: string): string => (path.startsWith('/proc/self/') ? path : join(root, path));
  return {
    ...node,
    readText: (path) => node.readText(at(path)),
    writeText: (path, text, mode) => node.writeText(at(path), text, mode),
    status: (path) => node.status(at(path)),
    linkStatus: (path) => node.linkStatus(at(path)),
    readLink: (path) => node.readLink(at(path)),
    list: (path) => node.list(at(path)),
    makeDirectory: (path, mode) => node.makeDirectory(at(path), mode),
    remove: (path) => node.remove(at(path)),
    open: (path, options) => node.open(at(path), options),
    spawn: (argv, options = {}) => {
      started.push(argv);
      // The one that is really run.
      if (argv[0] === 'gunzip') return node.spawn(argv, options);
      const output = programs(argv);
      const real = output === undefined ? ['false'] : ['printf', '%s', output];
      return node.spawn(real, options);
    },
  };
}
