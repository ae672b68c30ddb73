/**
 * Writes the JSON schema of lab files to the file named on the command line: `node dist/main/lab/file/write-schema.js FILE`.
 */
import { writeFileSync } from 'node:fs';
import { labJsonSchemaText } from './json-schema.ts';

const target = process.argv[2];
if (target === undefined) {
  process.stderr.write('usage: write-schema FILE, such as main/lab/lab.schema.json\n');
  process.exitCode = 2;
} else {
  writeFileSync(target, labJsonSchemaText());
}
