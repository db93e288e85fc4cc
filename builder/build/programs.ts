/** The machine's own programs, bundled from host/ for QuickJS beforehand (scripts/bundle.mjs). */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { SlipwayError } from '../../spec/error.ts';
import { slipwayRoot } from '../own-files.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';

const PROGRAMS = ['slipd.js', 'partition.js', 'install.js'] as const;
const SLIP = `${MACHINE_PATHS.programs}/slip.js`;

/** `/usr/lib/slipway/{slipd,partition,install}.js` */
export async function programFiles(): Promise<TreeEntry[]> {
  return Promise.all(
    PROGRAMS.map(async (name) =>
      textFile(`${MACHINE_PATHS.programs}/${name}`, await readProgram(name), 'slipway'),
    ),
  );
}

/** `slip`, on the PATH. One file as it is, since services have it mounted by its name (system-containers/ssh). */
export async function slipCommand(): Promise<TreeEntry[]> {
  return [
    textFile(SLIP, await readProgram('slip.js'), 'slipway'),
    textFile('/usr/bin/slip', `#!/bin/sh\nexec /usr/bin/qjs -m ${SLIP} "$@"\n`, 'slipway', 0o755),
  ];
}

function programPath(name: string): string {
  return join(slipwayRoot(), 'dist/host', name);
}

/** A bundled program with the chunks that it shares with others (scripts/bundle.mjs), each file once: they lie side by side. Throws `build.not-bundled`. */
export async function readPrograms(names: readonly string[]): Promise<readonly ProgramFile[]> {
  const files = new Map<string, string>();
  const add = async (name: string): Promise<void> => {
    if (files.has(name)) return;
    const text = await readProgram(name);
    files.set(name, text);
    for (const [, chunk = ''] of text.matchAll(/\b(?:from|import)\s*\(?"\.\/(lib-[A-Z0-9]+\.js)"/g))
      await add(chunk);
  };
  for (const name of names) await add(name);
  return [...files].map(([name, text]) => ({ name, text }));
}

export interface ProgramFile {
  readonly name: string;
  readonly text: string;
}

/** A bundled program as text. Throws `build.not-bundled`. */
export async function readProgram(name: string): Promise<string> {
  const path = programPath(name);
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new SlipwayError('build.not-bundled', `${path} is missing`, {
      cause,
      hint: 'run: npm run bundle',
    });
  }
}
