/**
 * The JSON schema (draft 2020-12) of a lab file for editors, made from the same source as the types (schema.ts).
 */
import { toJsonSchema, type JsonSchema } from '@valibot/to-json-schema';
import { labSchema, REST_KEY_PATTERN } from './schema.ts';

/** Makes the JSON schema of lab files. */
export function labJsonSchema(): JsonSchema {
  return toJsonSchema(labSchema, {
    target: 'draft-2020-12',
    // The units of quantities are checked by code; their pattern metadata says the same to editors.
    ignoreActions: ['raw_check'],
    overrideSchema: ({ valibotSchema, jsonSchema }) =>
      valibotSchema.type === 'object_with_rest' ? restByPattern(jsonSchema) : undefined,
  });
}

/** The schema text as it is shipped: indented, with a final newline. */
export function labJsonSchemaText(): string {
  return `${JSON.stringify(labJsonSchema(), null, 2)}\n`;
}

/** The rest schema holds for the keys with an arrow only; other unknown keys are refused. */
function restByPattern(schema: JsonSchema): JsonSchema {
  const { additionalProperties, ...known } = schema;
  if (additionalProperties === undefined) return known;
  return {
    ...known,
    patternProperties: { [REST_KEY_PATTERN]: additionalProperties },
    additionalProperties: false,
  };
}
