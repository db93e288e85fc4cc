/** Nothing that a file can hold makes a loader throw or hang, and every fault has a place in it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import { IMAGE_EXAMPLE, SERVICE_EXAMPLE } from '../../spec/reference-prose.ts';
import { image, services } from './memory-files.ts';

const WORDS = [
  ...'name version include services extends profiles users host kernel files packages path content mode x-slipway image command'.split(
    ' ',
  ),
  ...'environment volumes tmpfs healthcheck test depends_on condition ulimits restart state gate type debug a b __proto__ constructor'.split(
    ' ',
  ),
];
const word = fc.constantFrom(...WORDS);
const scalar = fc.oneof(
  word,
  fc.string({ maxLength: 8 }),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.double(),
  fc.constantFrom('/a', '/a:/b', '5m', '$A', '0644', './a', '../a', 'compose.yaml', 'image.yaml'),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    scalar,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(word, fc.string({ maxLength: 4 })), tie('value'), { maxKeys: 5 }),
  ),
}));
const document = fc.oneof(
  fc.dictionary(word, value, { maxKeys: 8 }),
  fc.record({
    name: fc.constant('a'),
    services: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.dictionary(word, value, { maxKeys: 8 })),
  }),
);
const indicators = fc.constantFrom(
  ...'- ? : , [ ] { } # & * ! | > \' " % @ ` ~ < = \t \n'.split(' '),
  ' ',
  '\r\n',
  '<<',
  '---',
  '...',
  '\u0000',
  '\uFEFF',
  '!reset',
  '!!int',
  '*a',
  '&a',
  '0o7',
  '.inf',
  '%YAML 1.1\n---\n',
);

test('documents of our own words with anything in them', async () => {
  await fc.assert(
    fc.asyncProperty(document, async (content) => {
      await expectPlaces(stringify(content, { aliasDuplicateObjects: false }));
    }),
    { numRuns: 80, interruptAfterTimeLimit: 15_000 },
  );
});

test.each(['__proto__', 'constructor', 'toString'])(
  'a list under a name that every object has: %s',
  async (key) => {
    await expectPlaces(`"${key}": [null, a]\nextends: compose.yaml\n`);
  },
);

test('random YAML punctuation', async () => {
  const noise = fc.array(fc.oneof(indicators, word), { maxLength: 40 }).map((parts) => parts.join(''));
  await fc.assert(fc.asyncProperty(noise, expectPlaces), { numRuns: 300, interruptAfterTimeLimit: 15_000 });
});

test('good files with a piece cut out, doubled or replaced', async () => {
  const edit = fc.tuple(
    fc.constantFrom(IMAGE_EXAMPLE, SERVICE_EXAMPLE),
    fc.nat(1200),
    fc.nat(30),
    fc.oneof(indicators, word, fc.constant('')),
  );
  await fc.assert(
    fc.asyncProperty(edit, async ([text, from, length, instead]) => {
      const start = from % text.length;
      await expectPlaces(text.slice(0, start) + instead + text.slice(start + length));
    }),
    { numRuns: 120, interruptAfterTimeLimit: 15_000 },
  );
});

test('bytes', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), expectPlaces), { numRuns: 100 });
});

test('services that extend each other a thousand deep', async () => {
  const chain = Array.from({ length: 1000 }, (_, i) => `  a${i}: { image: ./a, extends: a${i + 1} }`);
  const { diagnostics } = await services({ 'compose.yaml': `services:\n${chain.join('\n')}\n` });
  expect(diagnostics[0]?.code).toBe('extends.depth');
  // What nobody would read is counted, not listed.
  expect(diagnostics).toHaveLength(101);
  expect(diagnostics.at(-1)?.message).toMatch(/^\d+ more faults from here on$/);
});

test('files that include each other crosswise are read once each', async () => {
  const files: Record<string, string> = { 'compose.yaml': 'include: [a0.yaml, b0.yaml]\n' };
  for (let i = 0; i < 30; i += 1) {
    const text = i < 29 ? `include: [a${i + 1}.yaml, b${i + 1}.yaml]\n` : 'services: {}\n';
    files[`a${i}.yaml`] = text;
    files[`b${i}.yaml`] = text;
  }
  expect((await services(files)).diagnostics).toEqual([]);
});

test('thirty thousand aliases', async () => {
  const { diagnostics } = await image({ 'image.yaml': `name: a\nx-a: [&a b${', *a'.repeat(30_000)}]\n` });
  expect(diagnostics).toEqual([]);
});

/** Loads a text as both kinds; it may also name itself as what it includes or extends. */
async function expectPlaces(text: string | Uint8Array): Promise<void> {
  const files = { 'image.yaml': text, 'compose.yaml': text, 'a/compose.yaml': text, 'a/files/b': '' };
  const loaded = [await image(files, { profiles: ['debug'] }), await services(files)];
  for (const result of loaded) {
    const hasValue = 'image' in result || 'services' in result;
    expect(hasValue || result.diagnostics.length > 0).toBe(true);
    for (const { line, column, message, file } of result.diagnostics) {
      expect(
        Number.isInteger(line) && line >= 1 && Number.isInteger(column) && column >= 1,
        `${file}:${line}:${column}`,
      ).toBe(true);
      expect(message).not.toMatch(/undefined|\[object|NaN/);
    }
  }
}
