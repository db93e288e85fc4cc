/** Programs as bytecode, judged by the machine's own interpreter and by readelf. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
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
const shared = join(directory, 'shared');
mkdirSync(shared);
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
  expect(compiled.map(({ path }) => path.slice(directory.length + 1)).sort()).toEqual([
    'lib-TWO.so',
    'program.js',
    'program.so',
  ]);
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

test.runIf(process.arch === 'x64')('programs that share chunks', async () => {
  const programs = {
    'first.js':
      'import{a}from"./lib-A.js";import{own}from"./lib-OWN.js";console.log(a(own));' +
      'console.log((await import("./lib-LATE.js")).late);' +
      'console.log(await import("./lib-HALF.js").catch(()=>"away"));' +
      'console.log((await import("./lib-LAST.js")).last);',
    'second.js': 'import{b}from"./lib-B.js";console.log(b(2),globalThis.evaluated)',
    // One imports the other, which is behind it, and back.
    'lib-A.js': 'import{b}from"./lib-B.js";export const a=n=>b(n)+1;export const tens=10;',
    'lib-B.js':
      'import{tens}from"./lib-A.js";export const b=n=>n*tens;globalThis.evaluated=(globalThis.evaluated??0)+1;',
    'lib-OWN.js': 'export const own=4;',
    'lib-LATE.js': 'import{b}from"./lib-B.js";import{own}from"./lib-OWN.js";export const late=b(own);',
    // After one whose own import failed, what has come with packs is still there.
    'lib-HALF.js': 'import"./lib-GONE.js"',
    'lib-LAST.js':
      'import{tens}from"./lib-A.js";import{own}from"./lib-OWN.js";export const last=tens+own+evaluated;',
  };
  const entries = entriesOf(programs).map((entry) => ({
    ...entry,
    path: entry.path.replace(directory, shared),
  }));
  write(entries);
  const fromSource = [await qjs('shared/first.js'), await qjs('shared/second.js')];
  expect(fromSource).toEqual([
    { code: 0, output: '41\n40\naway\n15\n' },
    { code: 0, output: '20 1\n' },
  ]);
  const compiled = await inBytecode(entries, compiler);
  const names = compiled.map(({ path }) => path.slice(shared.length + 1));
  expect(names.join(' ')).toBe(
    'first.so second.so lib-A.so lib-LATE.so lib-HALF.so lib-LAST.so first.js second.js',
  );
  for (const { path } of entries) rmSync(path);
  write(compiled);
  expect([await qjs('shared/first.js'), await qjs('shared/second.js')]).toEqual(fromSource);
});

test.runIf(process.arch === 'x64').each([
  ['first', 'no last,no first,no middle,no last'],
  ['middle', 'no last,first,no middle,no last'],
  ['last', 'no last,first,middle,no last'],
])('bytecode that cannot be read is an exception, and no crash: the %s of three', async (which, told) => {
  const pack = ['first', 'middle', 'last'].map((name) => ({
    path: join(directory, `damaged-${name}.so`),
    source: `export const ${name}=1;`,
  }));
  const [object] = await compileModules([pack], 'amd64', toolbox);
  const bytes = Buffer.from(object!);
  // The number of names, before the first, which is the path.
  bytes[bytes.indexOf(join(directory, `damaged-${which}.so`)) - 3] = 0x7f;
  writeFileSync(join(directory, 'damaged-last.so'), bytes);
  writeFileSync(join(directory, 'loads.js'), 'import "./damaged-last.so"');
  const { code, output } = await qjs('loads.js');
  expect(code).toBe(1);
  expect(output).toContain('initialization error');
  // And for whoever lives on, what was read before it is whole, and nothing else is there.
  writeFileSync(
    join(directory, 'lives.js'),
    'const told=[];for(const name of ["last","first","middle","last"])' +
      'await import(`./damaged-${name}.so`).then(()=>told.push(name),()=>told.push(`no ${name}`));' +
      'console.log(told.join())',
  );
  expect(await qjs('lives.js')).toEqual({ code: 0, output: `${told}\n` });
});

test.each([
  ['amd64', 'X86-64', 'R_X86_64_GLOB_DAT'],
  ['arm64', 'AArch64', 'R_AARCH64_GLOB_DAT'],
] as const)(
  'a sound shared object for %s, of two segments that are never both',
  async (architecture, machine, relocation) => {
    const pack = ['a', 'b'].map((name) => ({
      path: `/usr/lib/slipway/${name}.so`,
      source: `export const ${name}=1;`,
    }));
    const [object] = await compileModules([pack], architecture, toolbox);
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
