/**
 * Filter programs in the one memory (struct bpf_insn: code, jt, jf, k in 8 bytes each), where every thread finds them and compiles them for itself.
 */
import { u16, u32, u8 } from '../../memory/memory.ts';
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import { BPF_MAXINSNS } from '../../filter/bpf/instruction.ts';
import type { BpfInstruction, BpfProgram } from '../../filter/bpf/instruction.ts';

const INSTRUCTION = 8;

const programStruct = struct('bpfProgram', {
  unused: 'ptr',
  nextpkt: 'ptr',
  /** Instructions. */
  length: 'u32',
  /** Two hashes of the instructions, by which compiled code is found. */
  hash: 'i32',
  check: 'i32',
  instructions: { bytes: BPF_MAXINSNS * INSTRUCTION },
});
export const bpfPrograms = slab(programStruct, 2048);

function hashWords(from: number, count: number, basis: number): number {
  let hash = basis;
  for (let word = from >>> 2; word < (from >>> 2) + count; word++)
    hash = Math.imul(hash ^ u32[word]!, 0x01000193);
  return hash;
}

/** Puts a valid program into the memory; 0 when there is no room (ENOBUFS). */
export function newProgram(program: BpfProgram): number {
  const ptr = bpfPrograms.alloc();
  if (ptr === 0) return 0;
  const record = bpfPrograms.get(ptr);
  record.length = program.length;
  program.forEach(({ code, jt, jf, k }, i) => {
    const at = record.instructions + i * INSTRUCTION;
    u16[at >>> 1] = code;
    u8[at + 2] = jt;
    u8[at + 3] = jf;
    u32[(at + 4) >>> 2] = k;
  });
  const words = (program.length * INSTRUCTION) >>> 2;
  record.hash = hashWords(record.instructions, words, 0x811c9dc5 | 0);
  record.check = hashWords(record.instructions, words, 0x2f0b4a27);
  return ptr;
}

export function freeProgram(ptr: number): void {
  if (ptr !== 0) bpfPrograms.free(ptr);
}

/** The instructions of a program. */
export function readProgram(ptr: number): BpfProgram {
  const { instructions, length } = bpfPrograms.get(ptr);
  return Array.from({ length }, (_, i): BpfInstruction => {
    const at = instructions + i * INSTRUCTION;
    return { code: u16[at >>> 1]!, jt: u8[at + 2]!, jf: u8[at + 3]!, k: u32[(at + 4) >>> 2]! };
  });
}
