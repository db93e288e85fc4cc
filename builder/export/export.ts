/** Makes the files of formats from a build or a disk. */
import { mkdir, stat } from 'node:fs/promises';
import type { Keys } from '../keys/load.ts';
import type { Progress } from '../progress.ts';
import { FORMATS, outputsOf, type FormatName } from './formats.ts';
import { openExportSource } from './source.ts';

export interface ExportOptions {
  /** Where they go; else beside the source. */
  readonly output?: string;
  /** Asked for by the formats that are signed (iso, netboot). */
  readonly keys: () => Promise<Keys>;
  readonly progress: Progress;
}

export interface ExportedFile {
  readonly format: FormatName;
  readonly path: string;
  readonly sizeBytes: number;
}

/** `path`: a build's folder, or a disk image. The same source gives the same bytes. Throws `export.*`. */
export async function exportImage(
  path: string,
  formats: readonly FormatName[],
  { output, keys, progress }: ExportOptions,
): Promise<readonly ExportedFile[]> {
  const source = await openExportSource(path);
  const directory = output ?? source.directory;
  await mkdir(directory, { recursive: true });
  const context = { keys, note: (text: string) => progress.note(text) };
  const files: ExportedFile[] = [];
  for (const format of new Set(formats)) {
    const outputs = outputsOf(format, source.base, directory);
    await progress.step(format, () => FORMATS[format].write(source, outputs, context));
    for (const each of outputs) files.push({ format, path: each, sizeBytes: (await stat(each)).size });
  }
  return files;
}
