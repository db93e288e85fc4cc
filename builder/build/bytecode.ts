/**
 * Programs of the machine as bytecode: `slipd.js` becomes `slipd.so`, which holds it with the chunks that it begins with, and a line that imports that,
 * so that whoever starts it goes by the same path. Where the image's QuickJS is none that we know, programs stay source: slower to start, and the same otherwise.
 */
import { basename, dirname } from 'node:path';
import type { Architecture } from '../../spec/image.ts';
import { BYTECODE_VERSION, compileModules, type Pack } from '../bytecode/compile.ts';
import { packModules } from '../bytecode/pack.ts';
import type { LockFile } from '../lock/lock-file.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';

/** Packs of modules to shared objects, in their order. */
export type Compiler = (packs: readonly Pack[]) => Promise<readonly Uint8Array[]>;

/** `undefined` where the image's interpreter, or the build machine's, reads other bytecode than ours. */
export function bytecodeCompiler(
  architecture: Architecture,
  lock: Pick<LockFile, 'packages' | 'tools'>,
  toolbox: Toolbox,
): Compiler | undefined {
  const known = [lock.packages, lock.tools].every((packages) =>
    packages.some(({ name, version }) => name === 'quickjs' && version.startsWith(`${BYTECODE_VERSION}-`)),
  );
  return known ? (packs) => compileModules(packs, architecture, toolbox) : undefined;
}

/** `entries`: of which those ending in `.js` are programs, and chunks that they import (programs.ts). */
export async function inBytecode(
  entries: readonly TreeEntry[],
  compiler: Compiler | undefined,
): Promise<TreeEntry[]> {
  if (compiler === undefined) return [...entries];
  const scripts = entries.flatMap((entry) => {
    const source = scriptSource(entry);
    return source === undefined ? [] : [{ entry, path: objectPath(entry.path), source }];
  });
  const components = new Map(scripts.map(({ path, entry }) => [path, entry.component]));
  const modules = scripts.map(({ path, source }) => ({ path, source: sharedImport(source) }));
  const importing = scripts.find(({ source }) => source.includes('import('));
  if (importing !== undefined) {
    // import() of one module serves all: it goes by its own file name, which bytecode without debugging information lacks.
    const path = `${dirname(importing.path)}/${IMPORT}`;
    components.set(path, importing.entry.component);
    modules.push({ path, source: 'export const load=name=>import(name);' });
  }
  const packs = packModules(
    modules.filter(({ path }) => !isChunk(path)),
    modules.filter(({ path }) => isChunk(path)),
  );
  const objects = await compiler(packs);
  return [
    ...entries.filter((entry) => scriptSource(entry) === undefined),
    ...packs.map((pack, place): TreeEntry => {
      const path = pack.at(-1)?.path ?? '';
      return {
        ...{ path, mode: 0o644, uid: 0, gid: 0, component: components.get(path) ?? '', type: 'file' },
        source: { kind: 'bytes', bytes: objects[place] ?? new Uint8Array() },
      };
    }),
    ...scripts
      .filter(({ path }) => !isChunk(path))
      .map(({ entry, path }) => textFile(entry.path, `import"./${basename(path)}";\n`, entry.component)),
  ];
}

const IMPORT = 'lib-import.so';

/** With imports of chunks as they are named in bytecode. */
function scriptSource(entry: TreeEntry): string | undefined {
  if (!entry.path.endsWith('.js') || entry.type !== 'file' || entry.source.kind !== 'bytes') return undefined;
  const text = Buffer.from(entry.source.bytes).toString('utf8');
  return text.replace(/"\.\/(lib-[A-Z0-9]+)\.js"/g, '"./$1.so"');
}

function sharedImport(source: string): string {
  const changed = source.replace(/\bimport\("/g, '__load("');
  return changed === source ? source : `import{load as __load}from"./${IMPORT}";${changed}`;
}

function isChunk(path: string): boolean {
  return basename(path).startsWith('lib-');
}

function objectPath(path: string): string {
  return path.replace(/\.js$/, '.so');
}
