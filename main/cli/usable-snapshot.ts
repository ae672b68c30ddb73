/**
 * What has to be right with a snapshot before a verb of the command line uses it: each of these fails with what is wrong.
 */
import type { NormalLab } from '../lab/file/model.ts';
import { SnapshotError } from '../lab/snapshot/format.ts';
import type { SnapshotFile } from '../lab/snapshot/format.ts';
import { readSnapshot } from '../lab/snapshot/snapshot.ts';
import type { History } from '../lab/time/history.ts';
import { usageFailure } from './failure.ts';

/** Reads a snapshot, or fails with what is wrong with it. */
export async function readUsable(file: string): Promise<SnapshotFile> {
  // Before any lab: the layout of the memory is that of the program itself.
  await import('../lab/one-memory.ts');
  try {
    return await readSnapshot(file);
  } catch (error) {
    if (error instanceof SnapshotError) throw usageFailure(`stackscope: ${file} ${error.message}`);
    throw error;
  }
}

/** Refuses a history that names nodes which its lab has not. */
export function checkHistory(file: string, lab: NormalLab, { plan, journal }: History): void {
  const nodes = new Set(lab.nodes.map(({ name }) => name));
  for (const { node } of [...plan.commands, ...journal.map(({ input }) => input)]) {
    if (!nodes.has(node))
      throw usageFailure(
        `stackscope: ${file} is damaged: its history names a node ${node}, its lab has none`,
      );
  }
}

/** Modules from outside are code, which is not in a snapshot: they have to be named again. */
export function checkModules(file: string, wanted: readonly string[], given: readonly string[]): void {
  if (wanted.join('\n') === given.join('\n')) return;
  const list = (names: readonly string[]): string =>
    names.length === 0 ? 'without --modules' : `with ${names.map((name) => `--modules ${name}`).join(' ')}`;
  throw usageFailure(`stackscope: ${file} was made ${list(wanted)}; go on from it in the same way`);
}
