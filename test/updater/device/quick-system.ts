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
      if (program === undefined) return system.spawn(argv, spawned);
      options.ran?.(argv);
      let code = 0;
      try {
        const output = program(words.filter((word) => word !== '--' && word !== '-rf'));
        if (spawned.stdout !== undefined) fs.writeSync(spawned.stdout, output);
      } catch {
        code = 1;
      }
      queueMicrotask(() => spawned.onExit?.(code));
      return 1_000_000;
    },
  };
}

const PROGRAMS: Readonly<Record<string, (paths: readonly string[]) => string>> = {
  sha256sum: (paths) =>
    paths
      .map((path) => `${createHash('sha256').update(fs.readFileSync(path)).digest('hex')}  ${path}\n`)
      .join(''),
  sync: (paths) => {
    for (const path of paths) {
      const fd = fs.openSync(path, 'r');
      fs.fsyncSync(fd);
      fs.closeSync(fd);
    }
    return '';
  },
  rm: (paths) => {
    for (const path of paths) fs.rmSync(path, { recursive: true, force: true });
    return '';
  },
};
