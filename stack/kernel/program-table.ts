/**
 * The programs that can be started on nodes, by name: the same on every node. Utilities and user programs register themselves here.
 */
import type { Process, Program } from './process.ts';

/** Candidates for the word at `index` of a command line; `self` is the shell. */
export type Completer = (
  words: readonly string[],
  index: number,
  self: Process,
) => Promise<string[]> | string[];

export interface ProgramEntry {
  readonly name: string;
  /** Synopsis without the name: `[-c count] host`. */
  readonly usage: string;
  /** One line for `help`. */
  readonly summary: string;
  readonly run: Program;
  readonly complete?: Completer;
}

const programs = new Map<string, ProgramEntry>();

/** Enters a program. Throws when the name is taken: two programs of one name are a fault of ours. */
export function registerProgram(entry: ProgramEntry): void {
  if (programs.has(entry.name)) throw new Error(`program ${entry.name} is registered twice`);
  programs.set(entry.name, entry);
}

/** A program by name or path: `ping`, `/proc/boot/ping`. */
export function findProgram(name: string): ProgramEntry | undefined {
  return programs.get(name.startsWith('/') ? name.slice(name.lastIndexOf('/') + 1) : name);
}

/** All names, sorted. */
export function programNames(): string[] {
  return [...programs.keys()].sort();
}
