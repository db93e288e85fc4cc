/** `slipway validate` on real files. */
import { mkdtemp, mkdir, rm, symlink, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { validate, validateCommand } from '../../cli/validate.ts';
import { DiagnosticsError } from '../../spec/diagnostic.ts';
import { fileKind, loadImage } from '../../spec/load.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-validate-'));
  await mkdir(at('ssh/files/bin'), { recursive: true });
  await writeFile(at('image.yaml'), 'name: a\ninclude: [ssh]\nkernel: {}\n');
  await writeFile(at('bad.yaml'), 'name: a\ninclude: [ssh]\nkernal: {}\ncolour: 1\n');
  await writeFile(at('ssh/compose.yaml'), 'services:\n  ssh: { image: ./x }\n');
  await writeFile(at('ssh/files/bin/run'), '');
  await chmod(at('ssh/files/bin/run'), 0o711);
  await writeFile(at('ssh/files/note'), '');
  await chmod(at('ssh/files/note'), 0o600);
  await writeFile(at('list.yaml'), '- a\n');
});

afterAll(() => rm(folder, { recursive: true }));

test('files are told apart by what they hold', async () => {
  await writeFile(at('other.yaml'), 'services: { a: { image: ./b } }\n');
  expect(await fileKind(at('image.yaml'))).toBe('image');
  expect(await fileKind(at('ssh/compose.yaml'))).toBe('services');
  expect(await fileKind(at('other.yaml'))).toBe('services');
  expect(await fileKind(at('list.yaml'))).toBeUndefined();
  expect(await fileKind(at('none.yaml'))).toBeUndefined();
});

test('of the modes of the workstation only "executable" counts; links are refused', async () => {
  const { image } = await loadImage(at('image.yaml'));
  expect(image?.services[0]?.files.map(({ path, mode }) => [path, mode.toString(8)])).toEqual([
    ['/bin/run', '755'],
    ['/note', '644'],
  ]);
  await symlink('run', at('ssh/files/bin/link'));
  const { diagnostics } = await loadImage(at('image.yaml'));
  await rm(at('ssh/files/bin/link'));
  expect(diagnostics).toMatchObject([
    { code: 'files.invalid', message: `${at('ssh/files/bin/link')} is a symbolic link` },
  ]);
});

describe('validate', () => {
  test('several files at once, with all of their faults', async () => {
    const { files, diagnostics } = await validate([
      at('image.yaml'),
      at('bad.yaml'),
      at('ssh/compose.yaml'),
      at('list.yaml'),
    ]);
    expect(files.map(({ kind }) => kind)).toEqual(['image', 'image', 'services', 'unknown']);
    expect(diagnostics.map(({ file, line, code }) => [file, line, code])).toEqual([
      [at('bad.yaml'), 3, 'input.unknown-key'],
      [at('bad.yaml'), 4, 'input.unknown-key'],
      [at('list.yaml'), 1, 'input.type'],
    ]);
  });

  test('a folder stands for its compose.yaml', async () => {
    const { files } = await validate([at('ssh')]);
    expect(files).toEqual([{ file: at('ssh/compose.yaml'), kind: 'services' }]);
  });

  test('a file that is not there', async () => {
    const { diagnostics } = await validate([at('none.yaml')]);
    expect(diagnostics).toMatchObject([{ code: 'file.unreadable', line: 1, column: 1 }]);
  });

  test('the command throws the diagnostics, which cli/ reports with exit code 1', async () => {
    await expect(validateCommand().parseAsync([at('bad.yaml')], { from: 'user' })).rejects.toThrow(
      DiagnosticsError,
    );
  });

  test('--json prints what was checked', async () => {
    const written = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    await validateCommand().parseAsync([at('image.yaml'), '--json'], { from: 'user' });
    const output = String(written.mock.calls[0]?.[0]);
    written.mockRestore();
    expect(JSON.parse(output)).toEqual({
      files: [{ file: at('image.yaml'), kind: 'image' }],
      diagnostics: [],
    });
  });
});
