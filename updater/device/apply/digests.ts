/** SHA-256 by the image's `sha256sum`: pure JavaScript does 0.7 MB/s. A process start costs as much as hashing megabytes, so many go at once. */
import { SlipwayError } from '../../../spec/error.ts';
import { startProgram, type RunningProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';

/** Digests of files, in hexadecimal digits, in their order. Throws `update.program`. */
export async function digestsOfFiles(
  system: System,
  directory: string,
  names: readonly string[],
): Promise<readonly string[]> {
  if (names.length === 0) return [];
  return startDigests(system, directory, names)();
}

/** As `digestsOfFiles`; the work begins now, the returned function waits for it. */
export function startDigests(
  system: System,
  directory: string,
  names: readonly string[],
): () => Promise<readonly string[]> {
  const program = startProgram(system, ['sha256sum', ...names.map((name) => `${directory}/${name}`)]);
  return async () => {
    const lines = (await outputOf(system, program)).split('\n');
    const digests = names.map((_, index) => (lines[index] ?? '').slice(0, 64));
    if ((await program.exited) !== 0 || !digests.every((digest) => /^[0-9a-f]{64}$/.test(digest)))
      throw new SlipwayError('update.program', 'sha256sum failed');
    return digests;
  };
}

function outputOf(system: System, program: RunningProgram): Promise<string> {
  let text = '';
  for (let bytes = program.read(65_536); bytes.length > 0; bytes = program.read(65_536))
    text += system.decode(bytes);
  return Promise.resolve(text);
}

/** The digest of what is written to it bit by bit. */
export interface DigestSink {
  readonly write: (bytes: Uint8Array) => void;
  readonly end: () => Promise<string>;
}

export function digestSink(system: System): DigestSink {
  const input = system.pipe();
  const output = system.pipe();
  const exited = new Promise<number>((resolve) => {
    const pid = system.spawn(['sha256sum'], {
      stdin: input.read,
      stdout: output.write,
      stderr: 2,
      onExit: resolve,
    });
    if (pid < 0) resolve(127);
  });
  system.close(input.read);
  system.close(output.write);
  return {
    write: (bytes) => {
      for (let rest = bytes; rest.length > 0;) {
        const taken = system.write(input.write, rest);
        if (typeof taken !== 'number') throw new SlipwayError('update.program', 'sha256sum takes nothing');
        rest = rest.subarray(taken);
      }
    },
    end: async () => {
      system.close(input.write);
      const line = system.read(output.read, 256);
      system.close(output.read);
      if ((await exited) !== 0 || !(line instanceof Uint8Array))
        throw new SlipwayError('update.program', 'sha256sum failed');
      return system.decode(line).slice(0, 64);
    },
  };
}
