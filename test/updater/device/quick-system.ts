/**
 * Node's System whose small programs (sha256sum, sync, rm) run in this process: tests that start hundreds of them stay quick. What the
 * programs themselves do is tested with the real ones.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createNodeSystem, type NodeSystemOptions } from '../../../system/node.ts';
import type { System } from '../../../system/system.ts';

/** `ran` gets each program's argv. */
export function createQuickSystem(
  options: NodeSystemOptions & { readonly ran?: (argv: readonly string[]) => void } = {},
): System {
  const system = createNodeSystem(options);
  return {
    ...system,
    // Written in full before it is read.
    pipe: () => {
      const path = fs.mkdtempSync(join(tmpdir(), 'slipway-quick-'));
      const file = join(path, 'output');
      const write = fs.openSync(file, 'w');
      const read = fs.openSync(file, 'r');
      fs.rmSync(path, { recursive: true });
      return { read, write };
    },
    spawn: (argv, spawned = {}) => {
      const [name = '', ...words] = argv;
      const program = PROGRAMS[name];
      // What it prints would be read before it is there.
      if (program === undefined && spawned.stdout !== undefined)
        throw new Error(`${name} is not played here`);
      if (program === undefined) return system.spawn(argv, spawned);
      options.ran?.(argv);
      let code = 0;
      try {
        const paths = words.filter((word) => word !== '--' && word !== '-rf');
        const output = program(paths.length === 0 ? [spawned.stdin ?? 0] : paths);
        if (spawned.stdout !== undefined) fs.writeSync(spawned.stdout, output);
      } catch {
        code = 1;
      }
      queueMicrotask(() => spawned.onExit?.(code));
      return 1_000_000;
    },
  };
}

/** A path, or standard input. */
type Input = string | number;

const PROGRAMS: Readonly<Record<string, (paths: readonly Input[]) => string>> = {
  sha256sum: digests('sha256'),
  sha384sum: digests('sha384'),
  sha512sum: digests('sha512'),
  sync: (paths) => {
    for (const path of paths) {
      const fd = fs.openSync(String(path), 'r');
      fs.fsyncSync(fd);
      fs.closeSync(fd);
    }
    return '';
  },
  rm: (paths) => {
    for (const path of paths) fs.rmSync(String(path), { recursive: true, force: true });
    return '';
  },
};

function digests(algorithm: string): (paths: readonly Input[]) => string {
  return (paths) =>
    paths
      .map(
        (path) =>
          `${createHash(algorithm).update(fs.readFileSync(path)).digest('hex')}  ${typeof path === 'number' ? '-' : path}\n`,
      )
      .join('');
}
