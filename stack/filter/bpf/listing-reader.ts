/** Reads BPF programs back from the texts of listing.ts: those of `tcpdump -ddd` and of `tcpdump -d`. */
import { BPF_JMP, BPF_JA } from './instruction.ts';
import type { BpfInstruction, BpfProgram } from './instruction.ts';
import { INSTRUCTION_FORMS, isComparison } from './listing.ts';
import type { OperandForm } from './listing.ts';

/** What is wrong with a text that was to be a program: the line, counted from 1, and why. */
export interface ListingFault {
  readonly line: number;
  readonly message: string;
}

export type ReadListing = { readonly program: BpfProgram } | { readonly fault: ListingFault };

/** Reads the decimal form: a count, then as many lines of `code jt jf k`. */
export function readDecimalListing(text: string): ReadListing {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const count = Number(lines[0]);
  if (!Number.isInteger(count)) return faultAt(1, 'the number of instructions must stand here');
  if (lines.length - 1 !== count)
    return faultAt(1, `${count} instructions are announced, ${lines.length - 1} follow`);
  const program: BpfInstruction[] = [];
  for (const [index, line] of lines.slice(1).entries()) {
    const numbers = line.trim().split(/\s+/).map(Number);
    const [code, jt, jf, k] = numbers;
    if (numbers.length !== 4 || !numbers.every(isUnsigned))
      return faultAt(index + 2, `four numbers, code jt jf k, must stand here, not "${line.trim()}"`);
    program.push({ code: code ?? 0, jt: jt ?? 0, jf: jf ?? 0, k: k ?? 0 });
  }
  return { program };
}

function isUnsigned(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}

/** Reads the form for people: `(000) ldh      [12]`, `(001) jeq      #0x800           jt 2	jf 3`… */
export function readListing(text: string): ReadListing {
  const program: BpfInstruction[] = [];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  for (const [index, line] of lines.entries()) {
    const instruction = readLine(line, index);
    if (typeof instruction === 'string') return faultAt(index + 1, instruction);
    program.push(instruction);
  }
  return { program };
}

const LINE = /^\((\d+)\)\s+(\w+)\s*(.*?)(?:\s+jt (\d+)\s+jf (\d+))?\s*$/;

function readLine(line: string, index: number): BpfInstruction | string {
  const [, number, mnemonic = '', operand = '', jt, jf] = LINE.exec(line) ?? [];
  if (number === undefined || Number(number) !== index)
    return `an instruction (${String(index).padStart(3, '0')}) must stand here, not "${line}"`;
  for (const form of INSTRUCTION_FORMS) {
    if (
      form.mnemonic !== mnemonic ||
      isComparison({ code: form.code, jt: 0, jf: 0, k: 0 }) !== (jt !== undefined)
    )
      continue;
    const k = operandValue(form.operand, operand);
    if (k === undefined) continue;
    const distance = form.code === (BPF_JMP | BPF_JA) ? (k - index - 1) >>> 0 : k;
    return { code: form.code, jt: skip(jt, index), jf: skip(jf, index), k: distance };
  }
  return `there is no instruction "${mnemonic} ${operand}"`;
}

function skip(target: string | undefined, index: number): number {
  return target === undefined ? 0 : Number(target) - index - 1;
}

const OPERANDS: Readonly<Record<OperandForm, RegExp>> = {
  none: /^()$/,
  decimal: /^#(-?\d+)$/,
  hexadecimal: /^#(0x[0-9a-f]+)$/,
  absolute: /^\[(-?\d+)\]$/,
  indexed: /^\[x \+ (-?\d+)\]$/,
  scratch: /^M\[(\d+)\]$/,
  headerLength: /^4\*\(\[(-?\d+)\]&0xf\)$/,
  x: /^x()$/,
  length: /^#pktlen()$/,
  jump: /^(\d+)$/,
};

/** The number in an operand of the given form, as an unsigned 32-bit number; undefined if the text has another form. */
function operandValue(form: OperandForm, text: string): number | undefined {
  const digits = OPERANDS[form].exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits) >>> 0;
}

function faultAt(line: number, message: string): ReadListing {
  return { fault: { line, message } };
}
