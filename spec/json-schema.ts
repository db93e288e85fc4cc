/** The JSON Schemas of both file kinds, derived from the definitions that validate them: for editors, and for the reference pages. */
import * as z from 'zod';
import { imageSchema } from './image-schema.ts';
import { serviceFileSchema } from './service-schema.ts';

/** The part of JSON Schema 2020-12 that zod writes for us. */
export interface JsonSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

export function imageJsonSchema(): JsonSchema {
  return jsonSchema(imageSchema, 'Slipway image definition');
}

export function serviceJsonSchema(): JsonSchema {
  return jsonSchema(serviceFileSchema, 'Slipway service file');
}

function jsonSchema(schema: z.ZodType, title: string): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema: json }) => {
      // zod leaves examples out where a value is transformed; ours are what people write, so they stay.
      const examples = z.globalRegistry.get(zodSchema)?.['examples'];
      if (Array.isArray(examples)) json['examples'] = examples;
      // As the loader: extensions are allowed wherever keys are fixed.
      if (json.additionalProperties === false) json.patternProperties = { '^x-': {} };
    },
  });
  const { $schema, ...rest } = made;
  return { $schema, title, ...rest } as JsonSchema;
}
