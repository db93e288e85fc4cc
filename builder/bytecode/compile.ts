/** The machine's programs as bytecode: reading their source is most of what starting them costs (a look at the configuration: 28 of 32 million instructions). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Architecture } from '../../spec/image.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import { moduleObject } from './module-object.ts';

export interface Module {
  /** Absolute, as `qjs` will know it; ends in `.so`. */
  readonly path: string;
  readonly source: string;
}

/** The upstream version whose bytecode and whose JSValue this is. Another one's programs are installed as source. */
export const BYTECODE_VERSION = '2025.04.26';

/** No module name has this, so it is there once in the bytecode. */
const MARK = 'slipway-module-';

/** Modules that one shared object holds, in the order in which they are made known. It lies at the path of the last. */
export type Pack = readonly Module[];

/** Shared objects, in the order of the packs. The bytecode is the same for every architecture with 64 bits and low bytes first. */
export async function compileModules(
  packs: readonly Pack[],
  architecture: Architecture,
  toolbox: Toolbox,
): Promise<readonly Uint8Array[]> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-bytecode-'));
  try {
    const numbered = packs.flat().map((module, place) => ({ ...module, file: `${MARK}${place}.js`, place }));
    for (const { file, source } of numbered) await writeFile(join(directory, file), source);
    const compiled: Uint8Array[] = [];
    // import() goes by the file name in the debugging information; elsewhere all of that is left out.
    const loading = (source: string): boolean => /\bimport\(/.test(source);
    for (const flags of [[], ['-s']]) {
      const group = numbered.filter(({ source }) => loading(source) === (flags.length === 0));
      if (group.length === 0) continue;
      const names = group.map(({ file }) => file);
      await run([...toolbox.command('qjsc'), '-c', '-m', ...flags, '-o', 'bytecode.c', ...names], {
        cwd: directory,
      });
      const arrays = readArrays(await readFile(join(directory, 'bytecode.c'), 'utf8'));
      group.forEach(({ path, file, place }, index) => {
        compiled[place] = renamed(arrays[index], file, path);
      });
    }
    return packs.map((pack) => moduleObject(architecture, compiled.splice(0, pack.length)));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** What `qjsc -c` writes: C, one array a module. */
function readArrays(text: string): readonly Uint8Array[] {
  return [...text.matchAll(/^const uint8_t \w+\[(\d+)\] = \{([^}]*)\};/gm)].map(([, length, body = '']) => {
    const bytes = Uint8Array.from(body.match(/0x[0-9a-f]{2}/g) ?? [], Number);
    if (bytes.length !== Number(length)) throw new Error('qjsc wrote an array that is not whole');
    return bytes;
  });
}

/** Imports go by the module's name, which is where the file lies on the machine. It stands in the bytecode's table of names, behind its length. */
function renamed(bytecode: Uint8Array | undefined, from: string, to: string): Uint8Array {
  const bytes = Buffer.from(bytecode ?? []);
  const place = bytes.indexOf(name(from));
  if (place < 0 || bytes.indexOf(from, place + from.length) >= 0)
    throw new Error(`the bytecode of ${to} does not say its name once`);
  return Buffer.concat([bytes.subarray(0, place), name(to), bytes.subarray(place + name(from).length)]);
}

/** Its length in LEB128, twice for 8-bit characters, and its characters. */
function name(text: string): Buffer {
  const twice = text.length * 2;
  return Buffer.from([...(twice < 128 ? [twice] : [(twice & 127) | 128, twice >> 7]), ...Buffer.from(text)]);
}
