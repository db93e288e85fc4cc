/** A reference page in Markdown out of a JSON Schema: one table for each mapping, in the order of the definition. */
import type { JsonSchema } from './json-schema.ts';

export interface PageOptions {
  /** Mappings that have a page of their own: `$ref` name to link. */
  readonly links: Readonly<Record<string, string>>;
  readonly level: number;
}

/** The table of a mapping, then a section for each mapping inside it. */
export function schemaTables(
  schema: JsonSchema,
  root: JsonSchema,
  path: string,
  options: PageOptions,
): string {
  const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => {
    const resolved = follow(value, root);
    const isRequired = schema.required?.includes(key) === true;
    const fallback = value.default ?? resolved.default;
    const text = [description(value, resolved), examples(value, resolved)]
      .filter((part) => part !== '')
      .join(' ');
    return `| ${code(key)} | ${cell(typeName(value, root, options))} | ${isRequired ? 'required' : cell(written(fallback))} | ${cell(text)} |`;
  });
  const table = ['| Key | Value | Default | What it does |', '|---|---|---|---|', ...rows].join('\n');
  const inner = Object.entries(schema.properties ?? {}).flatMap(([key, value]) =>
    mappings(value, root, options).map(({ node, suffix }) => {
      const name = `${path}${key}${suffix}`;
      return `${'#'.repeat(options.level)} ${code(name)}\n\n${schemaTables(node, root, `${name}.`, options)}`;
    }),
  );
  return [table, ...inner].join('\n\n');
}

/** What a value looks like, in words. */
export function typeName(schema: JsonSchema, root: JsonSchema, options: PageOptions): string {
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined && options.links[name] !== undefined) return `[${name}](${options.links[name]})`;
  const node = follow(schema, root);
  const title = node.title;
  if (node.enum !== undefined) return node.enum.map((value) => code(String(value))).join(', ');
  if (node.const !== undefined) return code(flow(node.const));
  if (title !== undefined && title !== 'profile') return title;
  if (node.anyOf !== undefined) {
    const parts = node.anyOf
      .filter((part) => part.type !== 'null')
      .map((part) => typeName(part, root, options));
    return [...new Set(parts)].join(' or ');
  }
  if (node.items !== undefined) return `list of ${plural(typeName(node.items, root, options))}`;
  if (typeof node.additionalProperties === 'object')
    return `mapping of names to ${typeName(node.additionalProperties, root, options)}`;
  if (Array.isArray(node.type)) return 'text or number';
  return TYPES[String(node.type)] ?? 'mapping';
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  integer: 'whole number',
  number: 'number',
  boolean: '`true`, `false`',
  object: 'mapping',
  array: 'list',
  null: 'nothing',
};

/** The mappings with fixed keys in a value, with how they are reached: `[]` in a list, `.*` under any name. */
function mappings(
  schema: JsonSchema,
  root: JsonSchema,
  options: PageOptions,
): readonly { node: JsonSchema; suffix: string }[] {
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined && options.links[name] !== undefined) return [];
  const node = follow(schema, root);
  if (node.properties !== undefined && Object.keys(node.properties).length > 0) return [{ node, suffix: '' }];
  if (node.anyOf !== undefined) return node.anyOf.flatMap((part) => mappings(part, root, options));
  const inside = (part: JsonSchema, suffix: string): readonly { node: JsonSchema; suffix: string }[] =>
    mappings(part, root, options).map((found) => ({ ...found, suffix: suffix + found.suffix }));
  if (node.items !== undefined) return inside(node.items, '[]');
  return typeof node.additionalProperties === 'object' ? inside(node.additionalProperties, '.*') : [];
}

function follow(schema: JsonSchema, root: JsonSchema): JsonSchema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : (root.$defs?.[name] ?? schema);
}

function description(schema: JsonSchema, resolved: JsonSchema): string {
  return schema.description ?? resolved.description ?? '';
}

function examples(schema: JsonSchema, resolved: JsonSchema): string {
  const given = schema.examples ?? resolved.examples ?? resolved.items?.examples;
  return given === undefined ? '' : `Example: ${given.map((example) => code(flow(example))).join(', ')}.`;
}

function written(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0) return 'empty';
  return code(flow(value));
}

/** A value in YAML's flow style, quoted only where YAML needs it. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{ ${Object.entries(value)
      .map(([key, part]) => `${key}: ${flow(part)}`)
      .join(', ')} }`;
  }
  const text = String(value);
  const needsQuotes =
    typeof value === 'string' &&
    (/^[\d.]+$|^(true|false|null|no|yes|~)?$/.test(text) || /[:#,[\]{}] |^[[{*&!|>'"%@`]/.test(text));
  return needsQuotes ? `'${text}'` : text;
}

function plural(name: string): string {
  return name === 'text'
    ? 'texts'
    : name.replace(
        /^(file|package|volume|device|state directory|mapping|absolute path)\b/,
        (word) => word.replace(/y$/, 'ie') + 's',
      );
}

function code(text: string): string {
  return `\`${text}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
