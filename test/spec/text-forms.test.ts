import { describe, expect, test } from 'vitest';
import { parseEnvFile } from '../../spec/env-file.ts';
import { shellWords } from '../../spec/shell-words.ts';
import { nearest } from '../../spec/suggest.ts';

describe('a command written as one text', () => {
  test.each<[string, readonly string[] | undefined]>([
    ['sleep 10', ['sleep', '10']],
    ['  a   b  ', ['a', 'b']],
    [`sh -c 'echo "x y"'`, ['sh', '-c', 'echo "x y"']],
    [`a"b c"d`, ['ab cd']],
    [`a '' ""`, ['a', '', '']],
    [`"a \\" \\n"`, ['a " \\n']],
    ['a\\ b', ['a b']],
    ['a && b | c > d', ['a', '&&', 'b', '|', 'c', '>', 'd']],
    ['', []],
    [`a 'b`, undefined],
    [`a "b`, undefined],
    ['a \\', undefined],
  ])('%j', (text, words) => {
    expect(shellWords(text)).toEqual(words);
  });
});

describe('env_file', () => {
  test('values, quotes, comments and dollars', () => {
    const text = [
      '# comment',
      '',
      'PLAIN=a b # comment',
      'export EXPORTED=1',
      "SINGLE='a # $b'",
      'DOUBLE="a\\nb # c"',
      'DOLLAR=a$$b',
      'EMPTY=',
      'HASH=a#b',
      'SPACED = x ',
    ].join('\r\n');
    const { variables, faults } = parseEnvFile(`\uFEFF${text}`);
    expect(faults).toEqual([]);
    expect(Object.fromEntries(variables)).toEqual({
      PLAIN: 'a b',
      EXPORTED: '1',
      SINGLE: 'a # $b',
      DOUBLE: 'a\nb # c',
      DOLLAR: 'a$b',
      EMPTY: '',
      HASH: 'a#b',
      SPACED: 'x',
    });
  });

  test('raw values are taken as they are', () => {
    const { variables } = parseEnvFile(`A="b" # c $D`, 'raw');
    expect(variables.get('A')).toBe(`"b" # c $D`);
  });

  test('faults have their lines', () => {
    const { faults } = parseEnvFile('A=1\nB\n1C=2\nD="x\nE=${F}\n');
    expect(faults.map(({ line, message }) => `${line} ${message}`)).toEqual([
      '2 B has no value: variables of the workstation are not taken over',
      "3 '1C' is no name of a variable",
      '4 a quote is left open',
      '5 the variable ${F} is not replaced: write $$ or single quotes',
    ]);
  });
});

test.each([
  ['mem_limt', 'mem_limit'],
  ['memlimit', 'mem_limit'],
  ['readOnly', 'read_only'],
  ['xyz', undefined],
  ['constructor', undefined],
])('did you mean: %s -> %s', (word, meant) => {
  expect(nearest(word, ['mem_limit', 'read_only', 'cap_add'])).toBe(meant);
});
