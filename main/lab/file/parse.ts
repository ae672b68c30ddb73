/**
 * Reading a lab file: YAML, shape, cross-checks, normal form. All problems come in one go, in the order of the file.
 */
import { LineCounter } from 'yaml';
import * as v from 'valibot';
import { crossCheck } from './cross-check.ts';
import { readDraft } from './draft.ts';
import { lintLab } from './lint.ts';
import { locate, type Finding, type Located, type Path } from './locate.ts';
import type { Lab, NormalLab, Problem } from './model.ts';
import { normalize } from './normalize.ts';
import { labSchema } from './schema.ts';
import { checkShape, type ShapeProblem } from './shape.ts';

/** A lab that can run, or everything that is wrong with its file. */
export type ParsedLab =
  | {
      readonly ok: true;
      readonly lab: NormalLab;
      readonly source: Lab;
      /** What was read. */
      readonly text: string;
      readonly warnings: readonly Problem[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Reads the text of a lab file.
 * @param fileName only for the problems
 */
export function parseLab(text: string, fileName: string): ParsedLab {
  const located = locate(text);
  const toProblem = problemMaker(text, fileName);
  const shape = located.value === undefined ? [] : checkShape(labSchema, located.value);
  const cross = located.syntaxOffset === undefined ? crossCheck(readDraft(located.value)) : [];
  const findings = [...located.findings, ...reliable([...shape, ...cross], located)];
  if (findings.length > 0) return { ok: false, problems: sortUnique(findings.map(toProblem)) };
  const source = v.parse(labSchema, located.value);
  const lab = normalize(source);
  const hints = lintLab(source, lab).map((hint) => toFinding(hint, located));
  return {
    ok: true,
    lab,
    source,
    text,
    warnings: sortUnique([...located.warnings, ...hints].map(toProblem)),
  };
}

/** Writes a problem the way compilers do, so that editors can jump to it. */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${String(problem.line)}:${String(problem.column)}: ${problem.message}`;
}

/** Where the YAML itself is broken, only what ends before that place can be judged, and nothing can be called missing. */
function reliable(problems: readonly ShapeProblem[], located: Located): Finding[] {
  const end = located.syntaxOffset;
  const kept = problems.filter(
    ({ at, path }) => end === undefined || (at !== 'missing' && located.endOf(path) < end),
  );
  return kept.map((problem) => toFinding(problem, located));
}

function toFinding(problem: ShapeProblem, located: Located): Finding {
  const { path, at } = problem;
  const offset =
    at === 'value'
      ? located.offsetOf(path)
      : located.keyOffsetOf(at === 'missing' ? path.slice(0, -1) : path);
  return { offset, path, text: problem.text };
}

function problemMaker(text: string, file: string): (finding: Finding) => Problem {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1))
    lines.addNewLine(index + 1);
  return ({ offset, path, text: reason }) => {
    const { line, col } = lines.linePos(offset);
    const where = pathText(path);
    return {
      file,
      line,
      column: Math.max(1, col),
      message: where === '' ? reason : `${where}: ${reason}`,
      path,
    };
  };
}

/** `nodes.alpha.interfaces[0]`; keys that are not plain words in quotes. */
function pathText(path: Path): string {
  const parts = path.map((key) => {
    if (typeof key === 'number') return `[${String(key)}]`;
    const short = key.length > 64 ? `${key.slice(0, 64)}…` : key;
    return /^[\w-]+$/.test(short) ? `.${short}` : `[${JSON.stringify(short)}]`;
  });
  return parts.join('').replace(/^\./, '');
}

function sortUnique(problems: readonly Problem[]): Problem[] {
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return sorted.filter((problem, index) => {
    const before = sorted[index - 1];
    return before === undefined || before.message !== problem.message || before.line !== problem.line;
  });
}
