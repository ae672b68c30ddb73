/**
 * Where tests find published data that is not part of this repository: `../shared/conformance` beside the project, or
 * the folder that the variable STACKSCOPE_CONFORMANCE names. Tests skip, and say why, when it is absent.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { printSkipReason } from './requires.ts';

/**
 * @param name folder below the conformance data, for example `captures/tcpdump`.
 * @returns its path, or undefined after printing why the tests that need it are skipped: also in continuous integration, for a clone of the project
 * has everything but this.
 */
export function conformanceDir(name: string): string | undefined {
  const shared = join(import.meta.dirname, '..', '..', '..', 'shared', 'conformance');
  const path = join(process.env['STACKSCOPE_CONFORMANCE'] ?? shared, name);
  if (existsSync(path)) return path;
  const reason = `${path} does not exist; STACKSCOPE_CONFORMANCE can name the folder with the conformance data`;
  printSkipReason(reason);
  return undefined;
}
