/**
 * The instructions of the BPF machine (bpf(4), "Filter machine"; McCanne and Jacobson 1993): accumulator A, index X, 16 scratch words, big-endian loads from a packet,
 * jumps that only go forward. A program ends in a return that says how many bytes of the packet to keep, 0 to reject it.
 */

/** One instruction. `code` is class, size, mode and operation or'ed together; `jt` and `jf` count instructions to skip; `k` is an unsigned 32-bit number. */
export interface BpfInstruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}
export type BpfProgram = readonly BpfInstruction[];

/** Scratch words. */
export const BPF_MEMWORDS = 16;
/** Most instructions of a program. */
export const BPF_MAXINSNS = 512;

/** Classes: the lowest three bits of a code. */
export const BPF_LD = 0x00;
export const BPF_LDX = 0x01;
export const BPF_ST = 0x02;
export const BPF_STX = 0x03;
export const BPF_ALU = 0x04;
export const BPF_JMP = 0x05;
export const BPF_RET = 0x06;
export const BPF_MISC = 0x07;

/** Sizes of loads. */
export const BPF_W = 0x00;
export const BPF_H = 0x08;
export const BPF_B = 0x10;

/** Modes of loads. */
export const BPF_IMM = 0x00;
export const BPF_ABS = 0x20;
export const BPF_IND = 0x40;
export const BPF_MEM = 0x60;
export const BPF_LEN = 0x80;
export const BPF_MSH = 0xa0;

/** Operations of ALU. */
export const BPF_ADD = 0x00;
export const BPF_SUB = 0x10;
export const BPF_MUL = 0x20;
export const BPF_DIV = 0x30;
export const BPF_OR = 0x40;
export const BPF_AND = 0x50;
export const BPF_LSH = 0x60;
export const BPF_RSH = 0x70;
export const BPF_NEG = 0x80;
/** Later additions to the machine. */
export const BPF_MOD = 0x90;
export const BPF_XOR = 0xa0;

/** Operations of JMP. */
export const BPF_JA = 0x00;
export const BPF_JEQ = 0x10;
export const BPF_JGT = 0x20;
export const BPF_JGE = 0x30;
export const BPF_JSET = 0x40;

/** Second operand: the constant k, or X. For RET also A. */
export const BPF_K = 0x00;
export const BPF_X = 0x08;
export const BPF_A = 0x10;

/** MISC. */
export const BPF_TAX = 0x00;
export const BPF_TXA = 0x80;

/** Class of a code. */
export const bpfClass = (code: number): number => code & 0x07;
/** Size of a load. */
export const bpfSize = (code: number): number => code & 0x18;
/** Mode of a load. */
export const bpfMode = (code: number): number => code & 0xe0;
/** Operation of ALU and JMP. */
export const bpfOperation = (code: number): number => code & 0xf0;
/** Second operand of ALU and JMP. */
export const bpfSource = (code: number): number => code & 0x08;
/** What RET returns. */
export const bpfReturn = (code: number): number => code & 0x18;
/** Operation of MISC. */
export const bpfMisc = (code: number): number => code & 0xf8;
