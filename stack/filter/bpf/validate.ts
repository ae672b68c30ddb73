/**
 * The check that a BPF program must pass before a kernel runs it, after bpf_validate() of NetBSD 5 (bpf(9)): it ends, it stays inside itself, and it cannot
 * read what it has not written.
 */
import {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_DIV,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MAXINSNS,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MOD,
  BPF_MSH,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
  bpfClass,
  bpfMode,
  bpfOperation,
  bpfSource,
} from './instruction.ts';
import type { BpfInstruction, BpfProgram } from './instruction.ts';

const OPERATIONS = [BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR];
const COMPARISONS = [BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET];
const SIZES = [BPF_W, BPF_H, BPF_B];

const KNOWN_CODES: ReadonlySet<number> = new Set([
  ...SIZES.flatMap((size) => [BPF_LD | BPF_ABS | size, BPF_LD | BPF_IND | size]),
  BPF_LD | BPF_IMM,
  BPF_LD | BPF_LEN,
  BPF_LD | BPF_MEM,
  BPF_LDX | BPF_IMM,
  BPF_LDX | BPF_LEN,
  BPF_LDX | BPF_MEM,
  BPF_LDX | BPF_MSH | BPF_B,
  BPF_ST,
  BPF_STX,
  ...OPERATIONS.flatMap((operation) => [BPF_ALU | operation | BPF_K, BPF_ALU | operation | BPF_X]),
  BPF_ALU | BPF_NEG,
  BPF_JMP | BPF_JA,
  ...COMPARISONS.flatMap((operation) => [BPF_JMP | operation | BPF_K, BPF_JMP | operation | BPF_X]),
  BPF_RET | BPF_K,
  BPF_RET | BPF_A,
  BPF_MISC | BPF_TAX,
  BPF_MISC | BPF_TXA,
]);

/**
 * Looks whether a program may be run.
 *
 * @returns what is wrong and at which instruction, counted from 0 as in listings; undefined if nothing is.
 */
export function validateProgram(program: BpfProgram): string | undefined {
  if (program.length === 0) return 'the program is empty; its last instruction must be a return';
  if (program.length > BPF_MAXINSNS)
    return `${program.length} instructions; a program has at most ${BPF_MAXINSNS}`;
  for (const [index, instruction] of program.entries()) {
    const fault = instructionFault(instruction, index, program.length);
    if (fault !== undefined) return `instruction ${index}: ${fault}`;
  }
  const last = program[program.length - 1];
  if (last === undefined || bpfClass(last.code) !== BPF_RET)
    return `instruction ${program.length - 1}: the last instruction must be a return`;
  return unwrittenRead(program);
}

function instructionFault(
  { code, jt, jf, k }: BpfInstruction,
  index: number,
  length: number,
): string | undefined {
  if (!KNOWN_CODES.has(code)) return `there is no instruction of code 0x${code.toString(16)}`;
  if (usesScratch(code) && k >= BPF_MEMWORDS)
    return `there is no scratch word ${k}; they are numbered 0 to ${BPF_MEMWORDS - 1}`;
  if (bpfClass(code) === BPF_ALU) return divisorFault(code, k);
  if (bpfClass(code) !== BPF_JMP) return undefined;
  const farthest = bpfOperation(code) === BPF_JA ? k : Math.max(jt, jf);
  return index + 1 + farthest < length ? undefined : 'it jumps behind the end of the program';
}

function divisorFault(code: number, k: number): string | undefined {
  const operation = bpfOperation(code);
  const divides = operation === BPF_DIV || operation === BPF_MOD;
  return divides && bpfSource(code) === BPF_K && k === 0 ? 'it divides by zero' : undefined;
}

/** Whether `k` is the number of a scratch word. */
function usesScratch(code: number): boolean {
  const kind = bpfClass(code);
  return kind === BPF_ST || kind === BPF_STX || readsScratch(code);
}

function readsScratch(code: number): boolean {
  const kind = bpfClass(code);
  return (kind === BPF_LD || kind === BPF_LDX) && bpfMode(code) === BPF_MEM;
}

/** The first read of a scratch word that some path reaches without having written it. */
function unwrittenRead(program: BpfProgram): string | undefined {
  // The words written on every path to an instruction, one bit each. Jumps only go forward, so one pass suffices.
  const written = new Int32Array(program.length + 1).fill(-1);
  written[0] = 0;
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    const before = written[index] ?? 0;
    const reach = (skip: number, words: number): void => {
      written[index + 1 + skip] = (written[index + 1 + skip] ?? 0) & words;
    };
    const kind = bpfClass(code);
    if (readsScratch(code) && (before & (1 << k)) === 0)
      return `instruction ${index}: it reads scratch word ${k}, which is not written on every path to it`;
    if (kind === BPF_RET) continue;
    if (kind === BPF_ST || kind === BPF_STX) reach(0, before | (1 << k));
    else if (kind !== BPF_JMP) reach(0, before);
    else if (bpfOperation(code) === BPF_JA) reach(k, before);
    else {
      reach(jt, before);
      reach(jf, before);
    }
  }
  return undefined;
}
