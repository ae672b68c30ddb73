/**
 * The shipped JSON schema is the one that the types come from.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { labJsonSchema } from '../../../main/lab/file/json-schema.ts';

it('main/lab/lab.schema.json is up to date (npm run build:schema writes it)', () => {
  const shipped = readFileSync(new URL('../../../main/lab/lab.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(shipped)).toEqual(labJsonSchema());
});

it('describes every section, and allows impairments under keys with an arrow only', () => {
  const schema = labJsonSchema();
  const sections = ['name', 'description', 'nodes', 'ports', 'switches', 'links', 'captures', 'view'];
  expect(Object.keys(schema.properties ?? {})).toEqual(sections);
  for (const section of sections) {
    expect(schema.properties?.[section]).toMatchObject({
      description: expect.stringMatching(/\.$/) as string,
    });
  }
  expect(schema.properties?.links).toMatchObject({
    additionalProperties: {
      additionalProperties: false,
      patternProperties: { '->': { additionalProperties: false, properties: { delay: { type: 'string' } } } },
    },
  });
});
