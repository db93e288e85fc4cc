/**
 * `qjs -m verity.js DATA TREE DATA-BLOCKS SALT`: writes the verity tree of DATA to TREE, all but the superblock, and prints the root hash. SALT is
 * hexadecimal, or `-`. The hashing is busybox's: pure JavaScript does 0.7 MB/s.
 */
import * as osModule from 'os';
import * as std from 'std';
import { writeTree } from './tree.ts';

/** The part of QuickJS's `os` that is used; Node's types know another module by that name. */
interface QuickJsOs {
  open(path: string, flags: number, mode?: number): number;
  close(file: number): number;
  seek(file: number, offset: number, whence: number): number;
  read(file: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  write(file: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  mkdir(path: string, mode: number): number;
  readdir(path: string): [string[], number];
  remove(path: string): number;
  pipe(): [number, number];
  exec(argv: readonly string[], options: Record<string, unknown>): number;
  waitpid(pid: number, options: number): [number, number];
  getpid(): number;
  readonly O_RDONLY: number;
  readonly O_WRONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_TRUNC: number;
}
const os = osModule as unknown as QuickJsOs;

const BLOCK_BYTES = 4096;
/** In memory; one file for each block of a batch. */
const SCRATCH = `/run/slipway-verity.${os.getpid()}`;

function main([dataPath, treePath, blocks, saltText]: readonly string[]): string | undefined {
  const dataBlocks = Number(blocks);
  if (dataPath === undefined || treePath === undefined || saltText === undefined || !(dataBlocks > 0))
    return 'usage: DATA TREE DATA-BLOCKS SALT';
  const salt = hexBytes(saltText === '-' ? '' : saltText);
  const data = os.open(dataPath, os.O_RDONLY);
  const tree = os.open(treePath, os.O_RDWR);
  if (data < 0 || tree < 0) return `cannot open ${data < 0 ? dataPath : treePath}`;
  os.mkdir(SCRATCH, 0o700);
  try {
    const root = writeTree(dataBlocks, {
      readData: (index, count) => readBlocks(data, index, count),
      readTree: (index, count) => readBlocks(tree, index, count),
      writeTree: (index, bytes) => {
        os.seek(tree, index * BLOCK_BYTES, std.SEEK_SET);
        writeAll(tree, bytes);
      },
      digests: (bytes) => digests(bytes, salt),
    });
    std.out.puts(`${[...root].map((byte) => byte.toString(16).padStart(2, '0')).join('')}\n`);
    return undefined;
  } finally {
    for (const name of os.readdir(SCRATCH)[0]) os.remove(`${SCRATCH}/${name}`);
    os.remove(SCRATCH);
  }
}

function digests(bytes: Uint8Array, salt: Uint8Array): Uint8Array {
  const count = bytes.length / BLOCK_BYTES;
  const names = Array.from({ length: count }, (_, index) => {
    const name = `${SCRATCH}/${index}`;
    const file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600);
    writeAll(file, salt);
    writeAll(file, bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES));
    os.close(file);
    return name;
  });
  const lines = output(['sha256sum', ...names]).split('\n');
  const result = new Uint8Array(count * 32);
  for (let index = 0; index < count; index += 1)
    result.set(hexBytes((lines[index] ?? '').slice(0, 64)), index * 32);
  return result;
}

function output(argv: readonly string[]): string {
  const [readEnd, writeEnd] = os.pipe();
  const pid = os.exec(argv, { block: false, stdout: writeEnd });
  os.close(writeEnd);
  const buffer = new Uint8Array(65536);
  let text = '';
  for (let length = os.read(readEnd, buffer.buffer, 0, buffer.length); length > 0;) {
    text += String.fromCharCode(...buffer.subarray(0, length));
    length = os.read(readEnd, buffer.buffer, 0, buffer.length);
  }
  os.close(readEnd);
  const [, status] = os.waitpid(pid, 0);
  if (status !== 0) throw new Error(`${argv[0]} failed`);
  return text;
}

function readBlocks(file: number, index: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * BLOCK_BYTES);
  os.seek(file, index * BLOCK_BYTES, std.SEEK_SET);
  for (let done = 0; done < bytes.length;) {
    const length = os.read(file, bytes.buffer, done, bytes.length - done);
    if (length <= 0) throw new Error('the data ends before its blocks do');
    done += length;
  }
  return bytes;
}

function writeAll(file: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) {
    const length = os.write(file, bytes.buffer, bytes.byteOffset + done, bytes.length - done);
    if (length <= 0) throw new Error('cannot write');
    done += length;
  }
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}

const problem = main(scriptArgs.slice(1));
if (problem !== undefined) {
  std.err.puts(`${problem}\n`);
  std.exit(1);
}
