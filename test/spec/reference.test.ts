import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { imageJsonSchema, serviceJsonSchema } from '../../spec/json-schema.ts';
import { IMAGE_EXAMPLE, SERVICE_EXAMPLE } from '../../spec/reference-prose.ts';
import { generatedFiles } from '../../spec/reference.ts';

test.each([...generatedFiles()])('%s is up to date: else run `node scripts/generate.mjs`', (path, text) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text);
});

describe('the JSON Schemas judge as the loader does', () => {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  const image = ajv.compile(imageJsonSchema());
  const service = ajv.compile(serviceJsonSchema());

  test('good files', () => {
    expect(image(parse(IMAGE_EXAMPLE))).toBe(true);
    expect(service(parse(SERVICE_EXAMPLE))).toBe(true);
    expect(image({ name: 'a', 'x-mine': 1, services: { a: { image: 'b', 'x-mine': 1 }, b: null } })).toBe(
      true,
    );
    expect(image(parse('name: a\nhost: { files: [{ path: /a, content: b, mode: 0o644 }] }'))).toBe(true);
  });

  test.each([
    { name: 'Bad Name' },
    { name: 'a', colour: 'red' },
    { name: 'a', version: 1 },
    { name: 'a', architecture: 'x86' },
    { name: 'a', users: [{ name: 'b', uid: 0 }] },
    { name: 'a', profiles: { b: { name: 'c' } } },
    { name: 'a', services: { b: { ports: [] } } },
  ])('bad image %j', (document) => {
    expect(image(document)).toBe(false);
  });

  test.each([
    { services: { a: { image: 'b', tty: true } } },
    { services: { a: { image: 'b', read_only: 'yes' } } },
    { services: { a: { image: 'b', 'x-slipway': { gates: true } } } },
    { services: { a: { image: 'b', network_mode: 'bridge' } } },
    { networks: {} },
  ])('bad service file %j', (document) => {
    expect(service(document)).toBe(false);
  });
});

test('every key of both files is explained', () => {
  const unexplained: string[] = [];
  const visit = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties } = node as { properties?: Record<string, { description?: string; $ref?: string }> };
    for (const [key, value] of Object.entries(properties ?? {})) {
      if (value.description === undefined && value.$ref === undefined) unexplained.push(`${path}.${key}`);
    }
    for (const [key, value] of Object.entries(node)) visit(value, `${path}.${key}`);
  };
  visit(imageJsonSchema(), 'image');
  visit(serviceJsonSchema(), 'service');
  expect(unexplained.filter((path) => !/\.(soft|hard)$/.test(path))).toEqual([]);
});
