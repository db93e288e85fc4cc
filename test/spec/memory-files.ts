/** Input files out of a map, so that a test shows all that a loader can see. Paths are below /project. */
import { join } from 'node:path';
import type { InputFiles } from '../../spec/input-files.ts';
import { loadImage, loadServiceFile, type LoadOptions } from '../../spec/load.ts';

export const PROJECT = '/project';

export function memoryFiles(texts: Readonly<Record<string, string | Uint8Array>>): InputFiles {
  const files = new Map(Object.entries(texts).map(([path, text]) => [join(PROJECT, path), text]));
  return {
    readFile: (path) => {
      const text = files.get(path);
      return text === undefined ? Promise.reject(missing(path)) : Promise.resolve(text);
    },
    kindOf: (path) => {
      if (files.has(path)) return Promise.resolve('file');
      return Promise.resolve(
        [...files.keys()].some((name) => name.startsWith(`${path}/`)) ? 'folder' : 'none',
      );
    },
    list: (folder) =>
      Promise.resolve(
        [...files.keys()]
          .filter((name) => name.startsWith(`${folder}/`))
          .sort()
          .map((name) => ({
            kind: 'file' as const,
            path: name.slice(folder.length + 1),
            executable: name.endsWith('.sh'),
          })),
      ),
  };
}

/** Loads /project/image.yaml out of these files. */
export function image(texts: Readonly<Record<string, string | Uint8Array>>, options: LoadOptions = {}) {
  return loadImage(`${PROJECT}/image.yaml`, { ...memoryFiles(texts), ...options });
}

/** Loads /project/compose.yaml out of these files. */
export function services(texts: Readonly<Record<string, string | Uint8Array>>, options: LoadOptions = {}) {
  return loadServiceFile(`${PROJECT}/compose.yaml`, { ...memoryFiles(texts), ...options });
}

/** `line:column message` of each diagnostic, with the file before it where it is not the first one. */
export function places(
  diagnostics: readonly { file: string; line: number; column: number; message: string }[],
): string[] {
  return diagnostics.map(({ file, line, column, message }) => {
    const name = file.replace(`${PROJECT}/`, '');
    const isMain = name === 'image.yaml' || name === 'compose.yaml';
    return `${isMain ? '' : `${name}:`}${line}:${column} ${message}`;
  });
}

function missing(path: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, open '${path}'`), { code: 'ENOENT' });
}
