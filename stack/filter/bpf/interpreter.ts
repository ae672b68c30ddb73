/**
 * The reference engine of the BPF machine (bpf(4), "Filter machine"): one instruction after the other over the captured bytes of one packet. Arithmetic is unsigned and of
 * 32 bits; a load outside the packet and a division by zero reject the packet. Other engines must agree with this one on every packet.
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
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MEMWORDS,
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
  BPF_W,
  BPF_X,
  BPF_XOR,
  bpfClass,
  bpfMisc,
  bpfMode,
  bpfOperation,
  bpfReturn,
  bpfSize,
  bpfSource,
} from './instruction.ts';
import type { BpfInstruction, BpfProgram } from './instruction.ts';

/** The registers of the machine, all unsigned 32-bit numbers. */
export interface BpfRegisters {
  a: number;
  x: number;
  readonly scratch: Uint32Array;
}

/** The machine in front of one packet. */
interface Machine {
  readonly bytes: Uint8Array;
  readonly wireLength: number;
  readonly registers: BpfRegisters;
}

/** What an instruction led to: the next one, or the end with the program's result. */
type Outcome = { readonly next: number } | { readonly result: number };

const REJECT: Outcome = { result: 0 };

/** One executed instruction, with the registers as it left them. */
export interface BpfStep {
  /** Position of the instruction in the program, from 0. */
  readonly pc: number;
  readonly instruction: BpfInstruction;
  readonly a: number;
  readonly x: number;
  readonly scratch: readonly number[];
  /** What was read of the packet; undefined for an instruction that reads none of it, and with `outside` for one that tried to. */
  readonly loaded?: BpfLoad;
  /** For a comparison, whether it held. */
  readonly branch?: boolean;
  /** For the last step, the result of the program. */
  readonly result?: number;
}

/** A read of packet bytes. */
export interface BpfLoad {
  readonly offset: number;
  readonly size: 1 | 2 | 4;
  /** The value, big-endian; undefined if the bytes lie outside what was captured. */
  readonly value: number | undefined;
}

/**
 * Runs a program over a packet.
 *
 * @param bytes the captured bytes, from the link-layer header on.
 * @param wireLength length of the packet on the wire, which may be more.
 * @returns how many bytes to keep (unsigned, may exceed the packet), 0 to reject it. A program without an end rejects.
 */
export function interpret(program: BpfProgram, bytes: Uint8Array, wireLength: number): number {
  const machine = machineFor(bytes, wireLength);
  let pc = 0;
  for (let budget = STEP_LIMIT; budget > 0; budget--) {
    const instruction = program[pc];
    if (instruction === undefined) return 0;
    const outcome = execute(machine, instruction, pc);
    if ('result' in outcome) return outcome.result;
    pc = outcome.next;
  }
  return 0;
}

/** Steps after which a program that jumps backwards (those of `protochain` do) is taken to be one that never ends. */
const STEP_LIMIT = 1_000_000;

/** Runs a program over a packet as {@link interpret} does, and tells each step. */
export function* trace(program: BpfProgram, bytes: Uint8Array, wireLength: number): Generator<BpfStep> {
  const machine = machineFor(bytes, wireLength);
  let pc = 0;
  for (let budget = STEP_LIMIT; budget > 0; budget--) {
    const instruction = program[pc];
    if (instruction === undefined) return;
    const loaded = packetLoad(machine, instruction);
    const branch = isComparison(instruction) ? compare(machine.registers, instruction) : undefined;
    const outcome = execute(machine, instruction, pc);
    const { a, x, scratch } = machine.registers;
    yield {
      pc,
      instruction,
      a,
      x,
      scratch: [...scratch],
      ...(loaded === undefined ? {} : { loaded }),
      ...(branch === undefined ? {} : { branch }),
      ...('result' in outcome ? { result: outcome.result } : {}),
    };
    if ('result' in outcome) return;
    pc = outcome.next;
  }
}

function machineFor(bytes: Uint8Array, wireLength: number): Machine {
  return { bytes, wireLength, registers: { a: 0, x: 0, scratch: new Uint32Array(BPF_MEMWORDS) } };
}

function execute(machine: Machine, instruction: BpfInstruction, pc: number): Outcome {
  const { registers } = machine;
  const { code, k } = instruction;
  switch (bpfClass(code)) {
    case BPF_LD: {
      const value = loadValue(machine, instruction);
      if (value === undefined) return REJECT;
      registers.a = value;
      break;
    }
    case BPF_LDX: {
      const value = indexValue(machine, instruction);
      if (value === undefined) return REJECT;
      registers.x = value;
      break;
    }
    case BPF_ST:
      registers.scratch[k] = registers.a;
      break;
    case BPF_STX:
      registers.scratch[k] = registers.x;
      break;
    case BPF_ALU: {
      const operand = bpfSource(code) === BPF_X ? registers.x : k;
      const value = bpfAlu(bpfOperation(code), registers.a, operand);
      if (value === undefined) return REJECT;
      registers.a = value;
      break;
    }
    case BPF_JMP:
      return { next: jumpTarget(registers, instruction, pc) };
    case BPF_RET:
      return { result: bpfReturn(code) === BPF_A ? registers.a : k };
    default:
      if (bpfMisc(code) === BPF_TAX) registers.x = registers.a;
      else registers.a = registers.x;
  }
  return { next: pc + 1 };
}

function loadValue(machine: Machine, instruction: BpfInstruction): number | undefined {
  switch (bpfMode(instruction.code)) {
    case BPF_IMM:
      return instruction.k;
    case BPF_LEN:
      return machine.wireLength;
    case BPF_MEM:
      return machine.registers.scratch[instruction.k] ?? 0;
    default:
      return packetLoad(machine, instruction)?.value;
  }
}

function indexValue(machine: Machine, instruction: BpfInstruction): number | undefined {
  if (bpfMode(instruction.code) !== BPF_MSH) return loadValue(machine, instruction);
  const byte = packetLoad(machine, instruction)?.value;
  return byte === undefined ? undefined : (byte & 0x0f) * 4;
}

/** What an instruction reads of the packet, if it does. */
function packetLoad({ bytes, registers }: Machine, { code, k }: BpfInstruction): BpfLoad | undefined {
  const kind = bpfClass(code);
  const mode = bpfMode(code);
  if (kind === BPF_LDX) {
    return mode === BPF_MSH ? { offset: k, size: 1, value: readBigEndian(bytes, k, 1) } : undefined;
  }
  if (kind !== BPF_LD || (mode !== BPF_ABS && mode !== BPF_IND)) return undefined;
  const size = loadSize(code);
  // A sum beyond 32 bits does not wrap: it lies outside the packet.
  const offset = mode === BPF_IND ? registers.x + k : k;
  return { offset, size, value: readBigEndian(bytes, offset, size) };
}

function loadSize(code: number): 1 | 2 | 4 {
  switch (bpfSize(code)) {
    case BPF_W:
      return 4;
    case BPF_H:
      return 2;
    case BPF_B:
    default:
      return 1;
  }
}

function readBigEndian(bytes: Uint8Array, offset: number, size: number): number | undefined {
  if (offset + size > bytes.length) return undefined;
  let value = 0;
  for (let index = 0; index < size; index++) value = value * 256 + (bytes[offset + index] ?? 0);
  return value;
}

/**
 * One arithmetic operation of the machine on unsigned 32-bit numbers.
 *
 * @returns undefined for a division by zero.
 */
export function bpfAlu(operation: number, left: number, right: number): number | undefined {
  switch (operation) {
    case BPF_ADD:
      return (left + right) >>> 0;
    case BPF_SUB:
      return (left - right) >>> 0;
    case BPF_MUL:
      return Math.imul(left, right) >>> 0;
    case BPF_DIV:
      return right === 0 ? undefined : Math.floor(left / right);
    case BPF_MOD:
      return right === 0 ? undefined : left % right;
    case BPF_OR:
      return (left | right) >>> 0;
    case BPF_AND:
      return (left & right) >>> 0;
    case BPF_XOR:
      return (left ^ right) >>> 0;
    case BPF_LSH:
      return right < 32 ? (left << right) >>> 0 : 0;
    case BPF_RSH:
      return right < 32 ? left >>> right : 0;
    case BPF_NEG:
    default:
      return -left >>> 0;
  }
}

/** Whether a comparison of JMP holds between unsigned 32-bit numbers. */
export function bpfCompare(operation: number, left: number, right: number): boolean {
  switch (operation) {
    case BPF_JEQ:
      return left === right;
    case BPF_JGT:
      return left > right;
    case BPF_JGE:
      return left >= right;
    case BPF_JSET:
    default:
      return (left & right) !== 0;
  }
}

function isComparison({ code }: BpfInstruction): boolean {
  return bpfClass(code) === BPF_JMP && bpfOperation(code) !== BPF_JA;
}

function compare({ a, x }: BpfRegisters, { code, k }: BpfInstruction): boolean {
  return bpfCompare(bpfOperation(code), a, bpfSource(code) === BPF_X ? x : k);
}

function jumpTarget(registers: BpfRegisters, instruction: BpfInstruction, pc: number): number {
  // The loops of `protochain` jump back: their distance is a negative number in two's complement.
  if (!isComparison(instruction)) return pc + 1 + (instruction.k | 0);
  return pc + 1 + (compare(registers, instruction) ? instruction.jt : instruction.jf);
}
