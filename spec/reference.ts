/** The generated files, by path from the top of the project: JSON Schemas and reference pages. A test holds them to the definitions. */
import { UNSUPPORTED_FILE_KEYS, UNSUPPORTED_SERVICE_KEYS } from './compose-keys.ts';
import { imageJsonSchema, serviceJsonSchema, type JsonSchema } from './json-schema.ts';
import { IMAGE_PROSE, SERVICE_PROSE } from './reference-prose.ts';
import { schemaTables } from './reference-page.ts';

const NOTICE =
  '<!-- Generated from the definitions in spec/ by scripts/generate.mjs: change these, not this page. -->';

export function generatedFiles(): ReadonlyMap<string, string> {
  const [image, service] = [imageJsonSchema(), serviceJsonSchema()];
  return new Map([
    ['schema/image.schema.json', json(image)],
    ['schema/service.schema.json', json(service)],
    ['docs/reference/image.md', imagePage(image)],
    ['docs/reference/service.md', servicePage(service)],
  ]);
}

function imagePage(schema: JsonSchema): string {
  const options = { links: { service: 'service.md', profile: '#one-definition-over-another' }, level: 3 };
  return page([IMAGE_PROSE.opening, '## Keys', schemaTables(schema, schema, '', options), IMAGE_PROSE.rules]);
}

function servicePage(schema: JsonSchema): string {
  const service = schema.$defs?.['service'] ?? {};
  const links = { service: '#keys-of-a-service' };
  return page([
    SERVICE_PROSE.opening,
    '## Keys of a file',
    schemaTables(schema, schema, '', { links, level: 3 }),
    '## Keys of a service',
    schemaTables(service, schema, '', { links, level: 3 }),
    SERVICE_PROSE.rules,
    '## Keys of Compose that are not supported',
    'Each is an error, with this advice:',
    unsupported(UNSUPPORTED_SERVICE_KEYS),
    'At the top level of a file:',
    unsupported(UNSUPPORTED_FILE_KEYS),
  ]);
}

function unsupported(keys: Readonly<Record<string, string>>): string {
  const rows = Object.entries(keys).map(([key, advice]) => `| \`${key}\` | ${advice} |`);
  return ['| Key | Instead |', '|---|---|', ...rows].join('\n');
}

function page(parts: readonly string[]): string {
  return `${NOTICE}\n\n${parts.map((part) => part.trim()).join('\n\n')}\n`;
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
