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

/** Names of as many digits as make a line of `sha256sum` an even number of bytes long, see `startRawDigests`. */
export function evenNames(directory: string, count: number): readonly string[] {
  const digits = directory.length % 2 === 0 ? 4 : 3;
  return Array.from({ length: count }, (_, index) => String(index).padStart(digits, '0'));
}

/**
 * As `startDigests`, for many files (`evenNames`): 32 bytes for each. Two digits are one number of sixteen bits, and its byte is looked up: reading them
 * as text would take a slow interpreter longer than all else that is done to a slot.
 */
export function startRawDigests(
  system: System,
  directory: string,
  names: readonly string[],
): () => Promise<Uint8Array> {
  const paths = names.map((name) => `${directory}/${name}`);
  const program = startProgram(system, ['sha256sum', ...paths]);
  const lineBytes = HEX_DIGITS + 2 + (paths[0]?.length ?? 0) + 1;
  return async () => {
    const text = new Uint8Array(names.length * lineBytes);
    let filled = 0;
    for (let bytes = program.read(text.length); bytes.length > 0; bytes = program.read(text.length)) {
      if (filled + bytes.length <= text.length) text.set(bytes, filled);
      filled += bytes.length;
    }
    if ((await program.exited) !== 0 || filled !== text.length)
      throw new SlipwayError('update.program', 'sha256sum failed');
    const pairs = new Uint16Array(text.buffer);
    const digests = new Uint8Array(names.length * (HEX_DIGITS / 2));
    for (let line = 0, made = 0; line < names.length; line += 1)
      for (let pair = (line * lineBytes) / 2, end = pair + HEX_DIGITS / 2; pair < end; pair += 1, made += 1)
        digests[made] = BYTE_OF_PAIR[pairs[pair] ?? 0] ?? 0;
    return digests;
  };
}

const HEX_DIGITS = 64;

const BYTE_OF_PAIR = ((): Uint8Array => {
  const table = new Uint8Array(65_536);
  const pair = new Uint8Array(2);
  const number = new Uint16Array(pair.buffer);
  for (let byte = 0; byte < 256; byte += 1) {
    const text = byte.toString(16).padStart(2, '0');
    pair.set([text.charCodeAt(0), text.charCodeAt(1)]);
    table[number[0] ?? 0] = byte;
  }
  return table;
})();

function outputOf(system: System, program: RunningProgram): Promise<string> {
  let text = '';
  for (let bytes = program.read(65_536); bytes.length > 0; bytes = program.read(65_536))
    text += system.decode(bytes);
  return Promise.resolve(text);
}

/** The digest of what is written to it bit by bit. */
export interface DigestSink {
  /** The pipe's end, for programs that write to it themselves. */
  readonly input: number;
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
    input: input.write,
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
