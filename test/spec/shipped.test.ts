/** The definitions that come with Slipway are good, alone and together, and explain themselves to editors. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { validate } from '../../cli/validate.ts';

const TOP = fileURLToPath(new URL('../../', import.meta.url));
const images = readdirSync(join(TOP, 'images')).filter((name) => name.endsWith('.yaml'));
const containers = readdirSync(join(TOP, 'system-containers'));
const FILES = [
  ...images.map((name) => join('images', name)),
  ...containers.map((name) => join('system-containers', name, 'compose.yaml')),
];

describe.each(FILES)('%s', (file) => {
  test('has no faults', async () => {
    expect((await validate([join(TOP, file)], ['debug'])).diagnostics).toEqual([]);
  });

  test('names its schema for editors', () => {
    const [, schema = ''] =
      /^# yaml-language-server: \$schema=(\S+)\n/.exec(readFileSync(join(TOP, file), 'utf8')) ?? [];
    expect(schema).toMatch(/\/schema\/(image|service)\.schema\.json$/);
    expect(existsSync(join(TOP, dirname(file), schema))).toBe(true);
  });
});
