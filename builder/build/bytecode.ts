/**
 * Programs of the machine as bytecode: `slipd.js` becomes `slipd.so`, which holds it, and a line that imports that, so that whoever starts it goes by
 * the same path. Where the image's QuickJS is none that we know, programs stay source: slower to start, and the same otherwise.
 */
import { basename, dirname } from 'node:path';
import type { Architecture } from '../../spec/image.ts';
import { BYTECODE_VERSION, compileModules, type Module } from '../bytecode/compile.ts';
import type { LockFile } from '../lock/lock-file.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';

/** Modules to shared objects, in their order. */
export type Compiler = (modules: readonly Module[]) => Promise<readonly Uint8Array[]>;

/** `undefined` where the image's interpreter, or the build machine's, reads other bytecode than ours. */
export function bytecodeCompiler(
  architecture: Architecture,
  lock: Pick<LockFile, 'packages' | 'tools'>,
  toolbox: Toolbox,
): Compiler | undefined {
  const known = [lock.packages, lock.tools].every((packages) =>
    packages.some(({ name, version }) => name === 'quickjs' && version.startsWith(`${BYTECODE_VERSION}-`)),
  );
  return known ? (modules) => compileModules(modules, architecture, toolbox) : undefined;
}

/** `entries`: of which those ending in `.js` are programs, and chunks that they import (programs.ts). */
export async function inBytecode(
  entries: readonly TreeEntry[],
  compiler: Compiler | undefined,
): Promise<TreeEntry[]> {
  if (compiler === undefined) return [...entries];
  const scripts = entries.flatMap((entry) => {
    const source = scriptSource(entry);
    return source === undefined ? [] : [{ entry, module: { path: objectPath(entry.path), source } }];
  });
  const importing = scripts.filter(({ module }) => module.source.includes('import('));
  const modules = scripts.map(({ entry, module }) => ({
    entry,
    module: { ...module, source: sharedImport(module.source) },
  }));
  // import() of one module serves all: it goes by its own file name, which bytecode without debugging information lacks.
  const shared = importing.slice(0, 1).map(({ entry }) => ({
    entry,
    module: { path: `${dirname(entry.path)}/${IMPORT}`, source: 'export const load=name=>import(name);' },
  }));
  const all = [...modules, ...shared];
  const objects = await compiler(all.map(({ module }) => module));
  return [
    ...entries.filter((entry) => scriptSource(entry) === undefined),
    ...all.map(({ entry, module }, place): TreeEntry => ({
      ...{ path: module.path, mode: 0o644, uid: 0, gid: 0, component: entry.component, type: 'file' },
      source: { kind: 'bytes', bytes: objects[place] ?? new Uint8Array() },
    })),
    ...scripts
      .filter(({ entry }) => !isChunk(entry.path))
      .map(({ entry, module }) =>
        textFile(entry.path, `import"./${basename(module.path)}";\n`, entry.component),
      ),
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
