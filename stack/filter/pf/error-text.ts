/** Errors of a pf.conf for people: where, what, and the line with a mark under the place. */
import type { PfError } from './errors.ts';

/** `file:line: message`, as pfctl says it. */
export function pfErrorLine(error: PfError, file: string): string {
  const expected = error.expected === undefined ? '' : `: expected ${error.expected}`;
  return `${error.file ?? file}:${error.line}: ${error.message}${expected}`;
}

/** `file:line:column: message`, the line itself, and a caret under the column. */
export function pfErrorWithSource(error: PfError, file: string, text: string): string[] {
  const expected = error.expected === undefined ? '' : `: expected ${error.expected}`;
  const head = `${error.file ?? file}:${error.line}:${error.column}: ${error.message}${expected}`;
  const line = error.file === undefined ? text.split('\n')[error.line - 1]?.trimEnd() : undefined;
  if (line === undefined) return [head];
  // Tabs before the place stay tabs, so that the caret stands below it.
  const indent = line.slice(0, error.column - 1).replace(/[^\t]/g, ' ');
  return [head, `  ${line}`, `  ${indent}^`];
}
