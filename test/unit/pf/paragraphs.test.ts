// Every paragraph of what PF does has a test, and every test that is named exists.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PARAGRAPHS } from './paragraphs.ts';

const FOLDER = dirname(fileURLToPath(import.meta.url));

/** The names that a test file gives its tests, as they are written. */
function namesIn(file: string): string[] {
  const text = readFileSync(join(FOLDER, file), 'utf8');
  // test('name', () =>, and what test.each(...) is called with.
  const tests = text.matchAll(/(?:\btest|\))\(\s*'((?:[^'\\]|\\.)*)',\s*(?:async )?\(/g);
  return [...tests].map(([, name = '']) => name);
}

const known = new Set(
  readdirSync(FOLDER)
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => namesIn(file).map((name) => `${file.replace('.test.ts', '')}: ${name}`)),
);

test.each(Object.entries(PARAGRAPHS))('%s', (_title, proofs) => {
  expect(proofs.length).toBeGreaterThan(0);
  expect(proofs.filter((proof) => !known.has(proof))).toEqual([]);
});
