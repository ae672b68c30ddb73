/**
 * The texts in which tcpdump(1) prints a BPF program: for people (`-d`), as a C initializer (`-dd`) and as decimal numbers (`-ddd`).
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
  BPF_MEM,
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
  bpfOperation,
} from './instruction.ts';
import type { BpfInstruction, BpfProgram } from './instruction.ts';

/** How an operand is written: a number, a hexadecimal constant, an address in the packet… */
export type OperandForm =
  | 'none'
  | 'decimal'
  | 'hexadecimal'
  | 'absolute'
  | 'indexed'
  | 'scratch'
  | 'headerLength'
  | 'x'
  | 'length'
  | 'jump';

/** An instruction as the listing writes it. */
export interface InstructionForm {
  readonly code: number;
  readonly mnemonic: string;
  readonly operand: OperandForm;
}

const LOAD_NAMES = [
  ['ld', BPF_W],
  ['ldh', BPF_H],
  ['ldb', BPF_B],
] as const;

/** Operations with their names; those on bits write their constant in hexadecimal. */
const ALU_NAMES = [
  ['add', BPF_ADD, 'decimal'],
  ['sub', BPF_SUB, 'decimal'],
  ['mul', BPF_MUL, 'decimal'],
  ['div', BPF_DIV, 'decimal'],
  ['mod', BPF_MOD, 'decimal'],
  ['and', BPF_AND, 'hexadecimal'],
  ['or', BPF_OR, 'hexadecimal'],
  ['xor', BPF_XOR, 'hexadecimal'],
  ['lsh', BPF_LSH, 'decimal'],
  ['rsh', BPF_RSH, 'decimal'],
] as const;

const JUMP_NAMES = [
  ['jgt', BPF_JGT],
  ['jge', BPF_JGE],
  ['jset', BPF_JSET],
  ['jeq', BPF_JEQ],
] as const;

/** Every instruction of the machine as listings write it. */
export const INSTRUCTION_FORMS: readonly InstructionForm[] = [
  { code: BPF_RET | BPF_K, mnemonic: 'ret', operand: 'decimal' },
  { code: BPF_RET | BPF_A, mnemonic: 'ret', operand: 'none' },
  ...LOAD_NAMES.flatMap(([mnemonic, size]): InstructionForm[] => [
    { code: BPF_LD | size | BPF_ABS, mnemonic, operand: 'absolute' },
    { code: BPF_LD | size | BPF_IND, mnemonic, operand: 'indexed' },
  ]),
  { code: BPF_LD | BPF_LEN, mnemonic: 'ld', operand: 'length' },
  { code: BPF_LD | BPF_IMM, mnemonic: 'ld', operand: 'hexadecimal' },
  { code: BPF_LD | BPF_MEM, mnemonic: 'ld', operand: 'scratch' },
  { code: BPF_LDX | BPF_LEN, mnemonic: 'ldx', operand: 'length' },
  { code: BPF_LDX | BPF_IMM, mnemonic: 'ldx', operand: 'hexadecimal' },
  { code: BPF_LDX | BPF_MEM, mnemonic: 'ldx', operand: 'scratch' },
  { code: BPF_LDX | BPF_MSH | BPF_B, mnemonic: 'ldxb', operand: 'headerLength' },
  { code: BPF_ST, mnemonic: 'st', operand: 'scratch' },
  { code: BPF_STX, mnemonic: 'stx', operand: 'scratch' },
  { code: BPF_JMP | BPF_JA, mnemonic: 'ja', operand: 'jump' },
  ...JUMP_NAMES.flatMap(([mnemonic, operation]): InstructionForm[] => [
    { code: BPF_JMP | operation | BPF_K, mnemonic, operand: 'hexadecimal' },
    { code: BPF_JMP | operation | BPF_X, mnemonic, operand: 'x' },
  ]),
  ...ALU_NAMES.flatMap(([mnemonic, operation, operand]): InstructionForm[] => [
    { code: BPF_ALU | operation | BPF_K, mnemonic, operand },
    { code: BPF_ALU | operation | BPF_X, mnemonic, operand: 'x' },
  ]),
  { code: BPF_ALU | BPF_NEG, mnemonic: 'neg', operand: 'none' },
  { code: BPF_MISC | BPF_TAX, mnemonic: 'tax', operand: 'none' },
  { code: BPF_MISC | BPF_TXA, mnemonic: 'txa', operand: 'none' },
];

const formOf: ReadonlyMap<number, InstructionForm> = new Map(
  INSTRUCTION_FORMS.map((form) => [form.code, form]),
);

/** Whether an instruction compares and has two ways on. */
export function isComparison({ code }: BpfInstruction): boolean {
  return bpfClass(code) === BPF_JMP && bpfOperation(code) !== BPF_JA;
}

/** A program as `tcpdump -d` prints it, one line per instruction. */
export function listing(program: BpfProgram): string {
  return program.map((instruction, index) => `${listingLine(instruction, index)}\n`).join('');
}

/** One line of {@link listing}. */
export function listingLine(instruction: BpfInstruction, index: number): string {
  const form = formOf.get(instruction.code);
  const number = `(${String(index).padStart(3, '0')})`;
  if (form === undefined) return `${number} unimp    0x${instruction.code.toString(16)}`;
  const text = `${number} ${form.mnemonic.padEnd(8)} ${operandText(form.operand, instruction, index)}`;
  if (!isComparison(instruction)) return text;
  return `${text.padEnd(31)} jt ${index + 1 + instruction.jt}\tjf ${index + 1 + instruction.jf}`;
}

function operandText(form: OperandForm, { k }: BpfInstruction, index: number): string {
  switch (form) {
    case 'none':
      return '';
    case 'decimal':
      return `#${k | 0}`;
    case 'hexadecimal':
      return `#0x${k.toString(16)}`;
    case 'absolute':
      return `[${k | 0}]`;
    case 'indexed':
      return `[x + ${k | 0}]`;
    case 'scratch':
      return `M[${k | 0}]`;
    case 'headerLength':
      return `4*([${k | 0}]&0xf)`;
    case 'x':
      return 'x';
    case 'length':
      return '#pktlen';
    case 'jump':
      return String(index + 1 + (k | 0));
  }
}

/** A program as `tcpdump -dd` prints it: an initializer of an array of struct bpf_insn in C. */
export function initializerListing(program: BpfProgram): string {
  return program
    .map(({ code, jt, jf, k }) => `{ 0x${code.toString(16)}, ${jt}, ${jf}, 0x${hex(k)} },\n`)
    .join('');
}

function hex(k: number): string {
  return k.toString(16).padStart(8, '0');
}

/** A program as `tcpdump -ddd` prints it: the number of instructions, then code, jt, jf and k of each. */
export function decimalListing(program: BpfProgram): string {
  const lines = program.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}\n`);
  return `${program.length}\n${lines.join('')}`;
}
