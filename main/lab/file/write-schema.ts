/**
 * A step of the build (`npm run build:schema`): writes the JSON schema of lab files beside the built program, for those who use it, and into
 * the source tree, where a change of the format shows in review.
 */
import { writeFileSync } from 'node:fs';
import { labJsonSchemaText } from './json-schema.ts';

// Seen from dist/main/lab/file/write-schema.js.
const TARGETS = ['../../../lab.schema.json', '../../../../main/lab/lab.schema.json'];

for (const target of TARGETS) writeFileSync(new URL(target, import.meta.url), labJsonSchemaText());
