/**
 * The example labs, for tests.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const EXAMPLES_FOLDER = fileURLToPath(new URL('../../../main/examples/', import.meta.url));

export interface Example {
  readonly file: string;
  readonly text: string;
}

/** Every lab file of main/examples. */
export function examples(): Example[] {
  return readdirSync(EXAMPLES_FOLDER)
    .filter((file) => file.endsWith('.lab.yaml'))
    .map((file) => ({ file, text: readFileSync(`${EXAMPLES_FOLDER}${file}`, 'utf8') }));
}

/** The text of one example. */
export function example(file: string): string {
  return readFileSync(`${EXAMPLES_FOLDER}${file}`, 'utf8');
}
