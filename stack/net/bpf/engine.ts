/**
 * Which engine runs filter programs, and the compiled programs of this thread: made when a program first meets a packet here, and found again by what the program says.
 */
import type { BpfProgram } from '../../filter/bpf/instruction.ts';
import { closuresEngine } from './closures.ts';
import { interpreterEngine } from './interpreter.ts';
import { bpfPrograms, readProgram } from './program.ts';
import { canCompile, wasmEngine } from './wasm.ts';

export type BpfEngine = 'wasm' | 'closures' | 'interpreter';
/** Decides about the first `count` packets of this thread's batch (packet-batch.ts). */
export type BatchFilter = (count: number) => void;

/** Makes a filter of a valid program. */
export const BPF_ENGINES: Readonly<Record<BpfEngine, (program: BpfProgram) => BatchFilter>> = {
  wasm: wasmEngine,
  closures: closuresEngine,
  interpreter: interpreterEngine,
};

/** The values of net.bpf.engine; auto is the fastest that may run. */
export const BPF_ENGINE_WORDS = ['auto', 'wasm', 'closures', 'interpreter'] as const;

/** The engine that a value of net.bpf.engine, an index into its words, stands for; what needs generated code only where that is allowed. */
export function chosenEngine(choice: number): BpfEngine {
  const word = BPF_ENGINE_WORDS[choice] ?? 'auto';
  if (word === 'closures' || word === 'interpreter') return word;
  return canCompile() ? 'wasm' : 'closures';
}

interface Compiled {
  readonly choice: number;
  readonly hash: number;
  readonly check: number;
  readonly filter: BatchFilter;
}

/** By place of the program in its slab. */
const atPlace: (Compiled | undefined)[] = [];
const byContent = new Map<string, Compiled>();
/** Programs kept that no record may have any more. */
const MOST_KEPT = 1024;

/** The compiled form of a program (program.ts) for this thread. */
export function compiledFilter(program: number, choice: number): BatchFilter {
  const { hash, check } = bpfPrograms.get(program);
  const known = atPlace[bpfPrograms.indexOf(program)];
  if (known?.hash === hash && known.check === check && known.choice === choice) return known.filter;
  return compileAt(program, choice, hash, check).filter;
}

function compileAt(program: number, choice: number, hash: number, check: number): Compiled {
  const key = `${choice}:${hash}:${check}`;
  const place = bpfPrograms.indexOf(program);
  while (atPlace.length <= place) atPlace.push(undefined);
  if (byContent.size >= MOST_KEPT) byContent.clear();
  const compiled = byContent.get(key) ?? {
    choice,
    hash,
    check,
    filter: BPF_ENGINES[chosenEngine(choice)](readProgram(program)),
  };
  byContent.set(key, compiled);
  atPlace[place] = compiled;
  return compiled;
}
