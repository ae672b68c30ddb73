/**
 * A lab file from disk: the file's own failures (absent, too large, not text) are problems like all others.
 */
import { readFile, stat } from 'node:fs/promises';
import { MAX_TEXT_LENGTH } from './locate.ts';
import type { Problem } from './model.ts';
import { parseLab, type ParsedLab } from './parse.ts';

/** Reads and parses a lab file. */
export async function loadLab(fileName: string): Promise<ParsedLab> {
  const read = await readText(fileName);
  return 'text' in read ? parseLab(read.text, fileName) : { ok: false, problems: [read] };
}

async function readText(fileName: string): Promise<{ readonly text: string } | Problem> {
  try {
    const info = await stat(fileName);
    if (info.isDirectory())
      return problem(fileName, 'is a directory; name a lab file such as two-nodes.lab.yaml');
    // Four bytes are the most a character takes; parseLab knows the exact limit.
    if (info.size > MAX_TEXT_LENGTH * 4) return problem(fileName, 'the file is too large for a lab file');
    const bytes = await readFile(fileName);
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return problem(fileName, 'the file is not UTF-8 text');
    return problem(fileName, readFailure(error));
  }
}

function readFailure(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'the file may not be read; check its permissions';
  return `the file cannot be read (${code})`;
}

function problem(file: string, message: string): Problem {
  return { file, line: 1, column: 1, message, path: [] };
}
