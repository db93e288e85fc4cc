/** The provisioner's own programs, bundled, in as few shared objects as they begin with, on the machine's interpreter. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { bytecodeCompiler, inBytecode } from '../../../builder/build/bytecode.ts';
import { readPrograms, type ProgramFile } from '../../../builder/build/programs.ts';
import { readLock } from '../../../builder/lock/lock-file.ts';
import { textFile } from '../../../builder/tree/skeleton.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();

/** As they lie in an image. */
async function install(programs: readonly ProgramFile[]): Promise<readonly string[]> {
  const compiler = bytecodeCompiler('amd64', (await readLock(resolve('images/minimal.lock')))!, toolbox);
  const entries = programs.map(({ name, text }) => textFile(join(directory, name), text, 'slipway'));
  const installed = await inBytecode(entries, compiler);
  expect(await inBytecode(entries, compiler)).toEqual(installed);
  for (const entry of installed)
    if (entry.type === 'file' && entry.source.kind === 'bytes') writeFileSync(entry.path, entry.source.bytes);
  return installed.map(({ path }) => basename(path));
}

/** What it says on both its outputs, and which shared objects of ours it opens. */
function start(program: string): { said: string; opened: readonly string[] } {
  const trace = join(directory, 'trace');
  const argv = [...toolbox.command('qjs'), '--no-unhandled-rejection', '-m', join(directory, program)];
  const strace = ['-qq', '-e', 'trace=openat', '-o', trace];
  const { stdout, stderr } = spawnSync('strace', [...strace, ...argv, 'nothing'], { encoding: 'utf8' });
  const opened = [...readFileSync(trace, 'utf8').matchAll(/"([^"]*\.so)", [^"]*= \d+$/gm)].map(
    ([, path = '']) => path,
  );
  return {
    said: `${stdout}${stderr}`,
    opened: opened.filter((path) => path.startsWith(directory)).map((path) => basename(path)),
  };
}

const chunks = (text: string, before: string): readonly string[] =>
  [...text.matchAll(new RegExp(`\\b${before}"\\./(lib-[A-Z0-9]+\\.js)"`, 'g'))].map(([, name = '']) => name);

test.runIf(process.arch === 'x64')('each program opens two of them to begin with', async () => {
  const names = await install(await readPrograms(['provision.js', 'services.js']));
  const { said, opened } = start('provision.js');
  expect(said).toBe('slip: this image has no policy\n');
  expect(opened).toEqual(['provision.so', expect.stringMatching(/^lib-/)]);
  const services = start('services.js');
  expect(services.said).toContain('services: SyntaxError');
  expect(services.opened).toEqual(['services.so', opened[1]]);
  expect(names).toEqual(expect.arrayContaining([...opened, 'services.so']));
});

test.runIf(process.arch === 'x64')('whatever may be loaded later finds what it imports', async () => {
  const programs = await readPrograms(['provision.js', 'services.js']);
  const text = programs.find(({ name }) => name === 'provision.js')?.text ?? '';
  const later = new Set(programs.flatMap((program) => chunks(program.text, 'import\\(')));
  expect(later.size).toBeGreaterThan(10);
  // It begins with what the provisioner does, does nothing, and loads all that any part of it might.
  const probe = [
    ...chunks(text, '(?:from|import)').map((name) => `import"./${name}";`),
    ...[...later].map((name) => `await import("./${name}");`),
    'console.log("all of them");',
  ].join('');
  await install(
    programs.map(({ name, text: own }) => ({ name, text: name === 'provision.js' ? probe : own })),
  );
  const { said, opened } = start('provision.js');
  expect(said).toBe('all of them\n');
  expect(new Set(opened).size).toBe(opened.length);
  expect(opened.length).toBeGreaterThan(later.size);
});
