/** The machine runs this code on QuickJS: it takes nothing of Node's, neither modules nor globals. */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

test('no module and no global of Node’s', () => {
  const files = readdirSync('oci', { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(files.length).toBeGreaterThan(20);
  for (const name of files) {
    const code = readFileSync(`oci/${name}`, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    expect(code, name).not.toMatch(
      /'node:|\bBuffer\b|\bTextDecoder\b|\bTextEncoder\b|\bURL\(|structuredClone/,
    );
  }
});
