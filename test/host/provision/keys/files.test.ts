/** `write_files`: modes, encodings, owners. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { redact } from '../../../../host/provision/config.ts';
import { config, states, told } from '../document/reading.ts';

const file = (...lines: readonly string[]): ReturnType<typeof config> =>
  config('write_files:', '  - path: /var/lib/app/a', ...lines.map((line) => `    ${line}`));

describe('modes', () => {
  test.each([
    ["'0644'", 0o644],
    ['"644"', 0o644],
    ["'0o644'", 0o644],
    ['0644', 0o644],
    ['0o644', 0o644],
    ['0600', 0o600],
    ["'4755'", 0o4755],
    ['04755', 0o4755],
  ])('permissions: %s', async (written, mode) => {
    const result = await file(`permissions: ${written}`);
    expect(told(result)).toEqual([]);
    expect(result.config.files[0]?.mode?.value).toBe(mode);
  });

  test.each([
    ['420', 0o644, '0644'],
    ['384', 0o600, '0600'],
    ['493', 0o755, '0755'],
  ])('%s is decimal, and only read so with a warning', async (written, mode, shown) => {
    const result = await file(`permissions: ${written}`);
    expect(told(result)).toEqual([
      `4: warning: the bare number ${written} is decimal, and read as the mode ${shown}`,
    ]);
    expect(result.config.files[0]?.mode?.value).toBe(mode);
  });

  test.each([
    [
      '644',
      'the bare number 644 is decimal, which is the mode 1204: nobody can tell whether that was meant',
      "'0644'",
    ],
    [
      '600',
      'the bare number 600 is decimal, which is the mode 1130: nobody can tell whether that was meant',
      "'0600'",
    ],
    [
      '400',
      'the bare number 400 is decimal, which is the mode 0620: nobody can tell whether that was meant',
      "'0400'",
    ],
    [
      '755',
      'the bare number 755 is decimal, which is the mode 1363: nobody can tell whether that was meant',
      "'0755'",
    ],
    ['rw-r--r--', "'rw-r--r--' is no file mode", "'0644'"],
    ["'0688'", "'0688' is no file mode", "'0644'"],
    ['0x1a4', "'0x1a4' is no file mode", "'0644'"],
    ['0.644', "'0.644' is no file mode", "'0644'"],
    ['-1', "'-1' is no file mode", "'0644'"],
  ])('%s is refused, and the file not written: %s', async (written, message, hint) => {
    const result = await file(`permissions: ${written}`);
    expect(told(result)).toEqual([`4: ${message}`]);
    expect(result.diagnostics[0]?.hint).toContain(hint);
    expect([result.config.files, states(result)]).toEqual([[], ['write_files failed']]);
  });
});

describe('content', () => {
  const packed = gzipSync('hello').toString('base64');
  test.each([
    ['content: hello', { text: 'hello' }],
    ['content: |\n      two\n      lines', { text: 'two\nlines\n' }],
    ['content: aGVsbG8=\n    encoding: b64', { text: 'hello' }],
    ['content: aGVs bG8\n    encoding: base64', { text: 'hello' }],
    ['content: /wA=\n    encoding: base64', { base64: '/wA=' }],
    [`content: ${packed}\n    encoding: gz+b64`, { text: 'hello' }],
    [`content: !!binary ${packed}\n    encoding: gzip`, { text: 'hello' }],
    ['content: !!binary aGVsbG8=', { text: 'hello' }],
    ['encoding: text/plain', { text: '' }],
  ])('%s', async (lines, bytes) => {
    const result = await file(lines);
    expect(told(result)).toEqual([]);
    expect(result.config.files[0]?.content).toMatchObject({ value: bytes, secret: true });
  });

  test.each([
    [
      'encoding: b65',
      "expected one of 'text/plain', 'b64', 'base64', 'gz', 'gzip', 'gz+b64', 'gz+base64', 'gzip+b64', 'gzip+base64', found the text 'b65'",
    ],
    ['content: "?"\n    encoding: b64', 'the content is no base64'],
    ['content: aGVsbG8=\n    encoding: gz+b64', 'the content is not packed with gzip'],
    [
      `content: ${packed.slice(0, 16)}\n    encoding: gz+b64`,
      'the content cannot be unpacked: it is damaged, or larger than 1 MiB',
    ],
    ['content: 12', 'expected a text'],
    ['owner: a b', "'a b' is no owner"],
    ['perms: "0644"', "'perms' is no key of an entry of write_files"],
    ['append: maybe', "expected true or false, found the text 'maybe'"],
  ])('%s: refused', async (lines, message) => {
    const result = await file(lines);
    expect(told(result).map((line) => line.replace(/^\d+: /, ''))).toEqual([message]);
    expect([result.config.files, states(result)]).toEqual([[], ['write_files failed']]);
  });

  test('one faulty file leaves the others', async () => {
    const result = await config(
      'write_files:',
      '  - {path: var/a}',
      '  - {path: /var/a/../b}',
      '  - {content: x}',
      '  - {path: /var//c/}',
    );
    expect(result.config.files.map(({ path }) => path.value)).toEqual(['/var/c']);
    expect(told(result)).toHaveLength(3);
  });

  test('what a file holds is in no message and no log', async () => {
    const result = await file(
      'content: hunter2',
      'source: {uri: "http://a.example/?hunter2", headers: {A: hunter2}}',
    );
    expect(result.config.files[0]?.source?.headers[0]).toMatchObject({
      name: 'A',
      value: { value: 'hunter2', secret: true },
    });
    expect(redact(result.config)).not.toContain('hunter2');
  });
});

test('owners: a user with a group, or with its own', async () => {
  const owners = await Promise.all(
    ['root:root', 'app', 'app:'].map(
      async (owner) => (await file(`owner: '${owner}'`)).config.files[0]?.owner?.value,
    ),
  );
  expect(owners).toEqual([
    { user: 'root', group: 'root' },
    { user: 'app', group: null },
    { user: 'app', group: null },
  ]);
});
