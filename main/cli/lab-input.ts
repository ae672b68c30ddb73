/**
 * The lab file that a verb is given: all its problems are told at once, as `check` does.
 */
import { loadLab } from '../lab/file/load.ts';
import type { NormalLab } from '../lab/file/model.ts';
import { formatProblem } from '../lab/file/parse.ts';
import { usageFailure } from './failure.ts';

/** A lab, and what it was read from. */
export interface LabSource {
  readonly lab: NormalLab;
  readonly file: string;
  readonly text: string;
}

/** Reads a lab file. Rejects with a Failure that has a line for each problem. */
export async function readLab(file: string): Promise<LabSource> {
  const parsed = await loadLab(file);
  if (!parsed.ok) throw usageFailure(parsed.problems.map(formatProblem).join('\n'));
  return { lab: parsed.lab, file, text: parsed.text };
}
