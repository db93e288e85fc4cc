/** Which modules share an object: what programs begin with, and nothing that only some import() brings. */
import { expect, test } from 'vitest';
import { packModules } from '../../../builder/bytecode/pack.ts';

interface Imports {
  readonly [name: string]: string;
}

/** Modules that import those that stand behind them, and load those in brackets. */
function packed(programs: Imports, chunks: Imports): readonly string[] {
  const packs = packModules(modules(programs), modules(chunks));
  return packs.map((pack) => pack.map(({ path, source }) => `${name(path)}${imports(source)}`).join(' '));

  function imports(source: string): string {
    const leaders = [...source.matchAll(/^(?:import"[^"]+";)+/g)].map(([all]) =>
      all.match(/[A-Z]+/g)?.join(),
    );
    return leaders.length === 0 ? '' : `<${leaders.join()}`;
  }
}

function modules(imports: Imports): { path: string; source: string }[] {
  return Object.entries(imports).map(([path, what]) => ({
    path: `/usr/lib/slipway/${path}.so`,
    source: [...what]
      .map((letter, place) =>
        what[place - 1] === '('
          ? `await __load("./${letter}.so");`
          : /\w/.test(letter)
            ? `export{x}from"./${letter}.so";`
            : '',
      )
      .join(''),
  }));
}

function name(path: string): string {
  return path.replace(/^.*\/(.*)\.so$/, '$1');
}

test('what one program alone begins with lies in it, whoever imports it', () => {
  expect(packed({ p: 'AB', q: 'C' }, { A: 'D', B: 'AD', C: '', D: '' })).toEqual(['A B D p', 'C q']);
});

test('what programs share lies in one, which they import first', () => {
  expect(packed({ p: 'AB', q: 'B', r: '' }, { A: 'C', B: 'CD', C: '', D: '' })).toEqual([
    ...['A p<B', 'q<B', 'r'],
    'C D B',
  ]);
});

test('what more of them share is there before what fewer do', () => {
  expect(packed({ p: 'AC', q: 'AC', r: 'BC' }, { A: 'B', B: '', C: '' })).toEqual([
    ...['p<B,A', 'q<B,A', 'r<B'],
    ...['C B', 'A'],
  ]);
});

test('what is loaded later, by whoever needs it, stays by itself', () => {
  expect(packed({ p: 'A(B' }, { A: '', B: 'AC', C: '' })).toEqual(['A p', 'B', 'C']);
  // One program begins with it; another one loads it, or what imports it.
  expect(packed({ p: 'A', q: '(A' }, { A: 'B', B: '' })).toEqual(['p', 'q', 'A', 'B']);
  expect(packed({ p: 'B', q: '(A' }, { A: 'B', B: '' })).toEqual(['p', 'q', 'A', 'B']);
  // It loads what it has begun with.
  expect(packed({ p: 'AB' }, { A: '(B', B: '(A' })).toEqual(['A B p']);
  expect(packed({ p: '' }, { A: 'B', B: '' })).toEqual(['p', 'A', 'B']);
});

test('circles', () => {
  expect(packed({ p: 'A', q: 'C' }, { A: 'B', B: 'C', C: 'A' })).toEqual(['p<A', 'q<A', 'B C A']);
});
