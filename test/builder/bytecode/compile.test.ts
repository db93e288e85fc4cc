/** Programs as bytecode, judged by the machine's own interpreter and by readelf. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { bytecodeCompiler, inBytecode } from '../../../builder/build/bytecode.ts';
import { compileModules } from '../../../builder/bytecode/compile.ts';
import { run } from '../../../builder/process/run.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { TreeEntry } from '../../../builder/tree/entry.ts';
import { textFile } from '../../../builder/tree/skeleton.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const compiler = bytecodeCompiler('amd64', lockOf('2025.04.26-1', '2025.04.26-1'), toolbox);

function lockOf(image: string, tools: string): Parameters<typeof bytecodeCompiler>[1] {
  const quickjs = (version: string) => ({
    ...{ name: 'quickjs', version, architecture: 'amd64' as const, suite: 'trixie', filename: 'a.deb' },
    ...{ sizeBytes: 1, sha256: '', depends: [], source: 'quickjs' },
  });
  return { packages: [quickjs(image)], tools: [quickjs(tools)] };
}

function entriesOf(files: Readonly<Record<string, string>>): TreeEntry[] {
  return Object.entries(files).map(([name, text]) => textFile(join(directory, name), text, 'slipway'));
}

/** Writes them where their paths say. */
function write(entries: readonly TreeEntry[]): void {
  for (const entry of entries)
    if (entry.type === 'file' && entry.source.kind === 'bytes') writeFileSync(entry.path, entry.source.bytes);
}

async function qjs(program: string, ...flags: string[]): Promise<{ code: number; output: string }> {
  try {
    const { stdout } = await run([...toolbox.command('qjs'), ...flags, '-m', join(directory, program)]);
    return { code: 0, output: stdout.toString() };
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    return { code: 1, output: error.message };
  }
}

const PROGRAM = {
  'program.js':
    'import{say}from"./lib-ONE.js";import*as std from"std";await 0;say("started");' +
    'const{two}=await import("./lib-TWO.js");say(`${two(20)} ${scriptArgs.length} ${typeof std.exit}`);',
  'lib-ONE.js': 'export const say=text=>console.log(`${text} – über`);',
  'lib-TWO.js': 'import{say}from"./lib-ONE.js";export const two=number=>(say(1.5e300),number*2+0.5);',
};

test.runIf(process.arch === 'x64')('a program in bytecode does what its source does', async () => {
  const entries = entriesOf(PROGRAM);
  write(entries);
  const fromSource = await qjs('program.js');
  expect(fromSource).toEqual({
    code: 0,
    output: 'started – über\n1.5e+300 – über\n40.5 1 function – über\n',
  });
  const compiled = await inBytecode(entries, compiler);
  expect(compiled.map(({ path }) => path.slice(directory.length + 1)).sort()).toEqual(
    ['lib-ONE.so', 'lib-TWO.so', 'lib-import.so', 'program.js', 'program.so'].sort(),
  );
  write(compiled);
  expect(await qjs('program.js')).toEqual(fromSource);
  expect(await inBytecode(entries, compiler)).toEqual(compiled);
});

test.runIf(process.arch === 'x64')('an exception ends it with its message', async () => {
  write(await inBytecode(entriesOf({ 'broken.js': 'await 0;throw new Error("it is broken")' }), compiler));
  for (const flags of [[], ['--no-unhandled-rejection']]) {
    const { code, output } = await qjs('broken.js', ...flags);
    expect(code).toBe(1);
    expect(output).toContain('it is broken');
  }
});

test.runIf(process.arch === 'x64')('bytecode that cannot be read is an exception, and no crash', async () => {
  const path = join(directory, 'damaged.so');
  const [object] = await compileModules([{ path, source: 'export const a=1;' }], 'amd64', toolbox);
  const bytes = Buffer.from(object!);
  // The number of names, before the first, which is the path.
  bytes[bytes.indexOf(path) - 3] = 0x7f;
  writeFileSync(path, bytes);
  writeFileSync(join(directory, 'loads.js'), 'import "./damaged.so"');
  const { code, output } = await qjs('loads.js');
  expect(code).toBe(1);
  expect(output).toContain('initialization error');
});

test.each([
  ['amd64', 'X86-64', 'R_X86_64_GLOB_DAT'],
  ['arm64', 'AArch64', 'R_AARCH64_GLOB_DAT'],
] as const)(
  'a sound shared object for %s, of two segments that are never both',
  async (architecture, machine, relocation) => {
    const source = 'export const a = 1;';
    const [object] = await compileModules([{ path: '/usr/lib/slipway/a.so', source }], architecture, toolbox);
    const path = join(directory, `${architecture}.so`);
    writeFileSync(path, object!);
    const judged = await Promise.all(['-hl', '-rD', '-sD'].map((what) => run(['readelf', '-W', what, path])));
    const text = judged.map(({ stdout }) => stdout.toString()).join('');
    expect(judged.map(({ stderr }) => stderr).join('')).toBe('');
    expect(text).toMatch(new RegExp(`Machine:.*${machine}`));
    expect(text.match(/^ {2}LOAD.*(R E|RW )/gm)).toHaveLength(2);
    expect(text).toMatch(/GNU_STACK .* RW /);
    expect(text).toMatch(new RegExp(`${relocation}.*JS_ReadObject`));
    expect(text).toMatch(/FUNC +GLOBAL +DEFAULT +1 js_init_module/);
  },
);

test('an interpreter that is not the one we know gets source', async () => {
  const entries = entriesOf(PROGRAM);
  for (const [image, tools] of [
    ['2025.09.13-1', '2025.04.26-1'],
    ['2025.04.26-1', '2025.09.13-1'],
    ['2025.09.13-1', '2025.09.13-1'],
  ] as const)
    expect(bytecodeCompiler('amd64', lockOf(image, tools), toolbox)).toBeUndefined();
  expect(await inBytecode(entries, undefined)).toEqual(entries);
});
