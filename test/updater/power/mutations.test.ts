/**
 * The tests bite (issue 3, power cuts (c)): with any step of the protocol left out, or any two neighbours exchanged, the exploration finds a disk on which
 * something breaks; or the table of harmless ones says why there is none. What is neither yet is named in OPEN, and printed.
 */
import { afterAll, expect, test } from 'vitest';
import { DIRECTED } from './directed.ts';
import { HARMLESS, OPEN } from './harmless.ts';
import { PROTOCOL } from './machine.ts';
import { caught, MUTATIONS } from './mutations.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
/** Without SLIPWAY_TEST_FULL, every twelfth. */
const TRIED = MUTATIONS.filter(
  ({ name }, index) =>
    !HARMLESS.has(name) && !OPEN.has(name) && !DIRECTED.has(name) && (FULL || index % 12 === 0),
);
const EXTENT = { seed: 1, landings: 10, recoverEvery: 20 };

const table: string[] = [];
afterAll(() => {
  for (const [name, why] of HARMLESS) table.push(`harmless  ${name}: ${why}`);
  for (const name of OPEN) table.push(`open      ${name}`);
  console.log(table.join('\n'));
});

test.each(TRIED.map((mutation) => [mutation.name, mutation] as const))(
  '%s: is caught',
  async (name, mutation) => {
    const why = await caught(mutation, EXTENT);
    table.push(`${why === undefined ? 'MISSED' : 'caught'}    ${name}: ${why ?? ''}`);
    expect(why).toBeDefined();
  },
  300_000,
);

test.each([...DIRECTED])('%s: is caught in a situation of its own', async (name, situation) => {
  expect(await situation(PROTOCOL)).toBeUndefined();
  const mutation = MUTATIONS.find((one) => one.name === name);
  // What the situation throws is as good as what it finds.
  const why = await situation(mutation!.protocol).catch(String);
  table.push(`caught    ${name}: ${why ?? ''}`);
  expect(why).toBeDefined();
});

test('every mutation in the tables is one of the protocol, and each harmless one has a reason', () => {
  const names = new Set(MUTATIONS.map(({ name }) => name));
  expect([...HARMLESS.keys(), ...OPEN, ...DIRECTED.keys()].filter((name) => !names.has(name))).toEqual([]);
  expect([...OPEN].filter((name) => HARMLESS.has(name))).toEqual([]);
  expect([...HARMLESS.values()].every((why) => why.length > 20)).toBe(true);
});
