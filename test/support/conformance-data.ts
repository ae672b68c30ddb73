// Finds the published conformance cases, which are not part of this repository: they lie beside it, in ../shared/conformance.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { printSkipReason } from './requires.ts';

/**
 * The absolute path of a folder of conformance cases, such as `captures` or `packetdrill`.
 *
 * @returns undefined when the cases are not beside the repository; the reason to skip is then printed.
 */
export function conformanceData(folder: string): string | undefined {
  const path = join(import.meta.dirname, '../../../shared/conformance', folder);
  if (existsSync(path)) return path;
  printSkipReason(`no conformance cases at ../shared/conformance/${folder}`);
  return undefined;
}
