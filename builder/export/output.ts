/** A file in the making: under a temporary name until it is whole. */
import { open, rm, type FileHandle } from 'node:fs/promises';
import { publish, temporaryName } from '../cache/directory.ts';
import { writeAll } from '../disk/copy.ts';

export interface OutputFile {
  /** Where the next `append` goes. */
  readonly position: number;
  append(bytes: Uint8Array): Promise<void>;
  /** Zeros up to the next multiple, as a hole. */
  align(unitBytes: number): void;
  /** The file is at least so long, with a hole at its end. */
  extend(sizeBytes: number): void;
  /** Wherever; `position` is then at least behind it. */
  writeAt(bytes: Uint8Array, offset: number): Promise<void>;
}

/** The file appears under its name when `write` is done, and not at all when it throws. */
export async function writeOutput(path: string, write: (file: OutputFile) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const handle = await open(temporary, 'wx', 0o644);
    try {
      const file = new Appender(handle);
      await write(file);
      await handle.truncate(file.position);
    } finally {
      await handle.close();
    }
    await publish(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

class Appender implements OutputFile {
  readonly #handle: FileHandle;
  position = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async append(bytes: Uint8Array): Promise<void> {
    await writeAll(this.#handle, bytes, this.position);
    this.position += bytes.length;
  }

  align(unitBytes: number): void {
    this.position = Math.ceil(this.position / unitBytes) * unitBytes;
  }

  extend(sizeBytes: number): void {
    this.position = Math.max(this.position, sizeBytes);
  }

  async writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    await writeAll(this.#handle, bytes, offset);
    this.position = Math.max(this.position, offset + bytes.length);
  }
}
