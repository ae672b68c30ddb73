/** The version of the package that this program is part of. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Read from the nearest package.json above: the sources and what is built from them lie at different depths. */
export function packageVersion(): string {
  for (let folder = import.meta.dirname; ; folder = dirname(folder)) {
    const text = readIfThere(join(folder, 'package.json'));
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
    if (folder === dirname(folder)) throw new Error('there is no package.json above this program');
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
