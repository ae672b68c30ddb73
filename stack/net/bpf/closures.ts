/**
 * An engine of the BPF machine without generated code: each instruction becomes a closure that does its work and calls the next one, so that nothing is decoded while
 * packets pass. For places where code generation is not allowed.
 */
import { be16, be32, u8 as sharedU8 } from '../../memory/memory.ts';
import { mbuf } from '../../memory/mbuf.ts';
import {
  BPF_A,
  BPF_ABS,
  BPF_ALU,
  BPF_B,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MSH,
  BPF_RET,
  BPF_ST,
  BPF_STX,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  bpfClass,
  bpfOperation,
  bpfSource,
} from '../../filter/bpf/instruction.ts';
import type { BpfInstruction, BpfProgram } from '../../filter/bpf/instruction.ts';
import { bpfAlu } from '../../filter/bpf/interpreter.ts';
import { chainByte, chainHalf, chainWord } from './chain-load.ts';
import { packetOf, setResult } from './packet-batch.ts';

const u8 = sharedU8;

// The machine and the packet that it is looking at. A and X are kept signed, so that the compiler has no larger numbers to box.
let a = 0;
let x = 0;
let data = 0;
let len = 0;
let pktLen = 0;
let packet = 0;
/** A valid program reads only what it has written. */
const scratch = new Int32Array(BPF_MEMWORDS);

/** Runs the rest of the program; returns the bytes to keep. */
type Step = () => number;

const reject: Step = () => 0;

function loadWord(k: number, next: Step): Step {
  const end = k + 4;
  return () => {
    if (end <= len) a = be32(data + k);
    else if (end <= pktLen) a = chainWord(packet, k) | 0;
    else return 0;
    return next();
  };
}

function loadHalf(k: number, next: Step): Step {
  const end = k + 2;
  return () => {
    if (end <= len) a = be16(data + k);
    else if (end <= pktLen) a = chainHalf(packet, k);
    else return 0;
    return next();
  };
}

function loadByte(k: number, next: Step): Step {
  return () => {
    if (k < len) a = u8[data + k]!;
    else if (k < pktLen) a = chainByte(packet, k);
    else return 0;
    return next();
  };
}

function indexedWord(k: number, next: Step): Step {
  return () => {
    const at = (x >>> 0) + k;
    if (at + 4 <= len) a = be32(data + at);
    else if (at + 4 <= pktLen) a = chainWord(packet, at) | 0;
    else return 0;
    return next();
  };
}

function indexedHalf(k: number, next: Step): Step {
  return () => {
    const at = (x >>> 0) + k;
    if (at + 2 <= len) a = be16(data + at);
    else if (at + 2 <= pktLen) a = chainHalf(packet, at);
    else return 0;
    return next();
  };
}

function indexedByte(k: number, next: Step): Step {
  return () => {
    const at = (x >>> 0) + k;
    if (at < len) a = u8[data + at]!;
    else if (at < pktLen) a = chainByte(packet, at);
    else return 0;
    return next();
  };
}

/** Four times the low half of a byte: the length of an IP header. */
function loadHeaderLength(k: number, next: Step): Step {
  return () => {
    if (k < len) x = (u8[data + k]! & 15) << 2;
    else if (k < pktLen) x = (chainByte(packet, k) & 15) << 2;
    else return 0;
    return next();
  };
}

function compute({ code, k }: BpfInstruction, next: Step): Step {
  const operation = bpfOperation(code);
  const constant = bpfSource(code) === BPF_K;
  return () => {
    const result = bpfAlu(operation, a >>> 0, constant ? k : x >>> 0);
    // A division by zero.
    if (result === undefined) return 0;
    a = result | 0;
    return next();
  };
}

function jumpOnConstant(operation: number, k: number, then: Step, otherwise: Step): Step {
  const signed = k | 0;
  switch (operation) {
    case BPF_JEQ:
      return () => (a === signed ? then() : otherwise());
    case BPF_JGT:
      return () => (a >>> 0 > k ? then() : otherwise());
    case BPF_JGE:
      return () => (a >>> 0 >= k ? then() : otherwise());
    default:
      return () => ((a & k) !== 0 ? then() : otherwise());
  }
}

function jumpOnIndex(operation: number, then: Step, otherwise: Step): Step {
  switch (operation) {
    case BPF_JEQ:
      return () => (a === x ? then() : otherwise());
    case BPF_JGT:
      return () => (a >>> 0 > x >>> 0 ? then() : otherwise());
    case BPF_JGE:
      return () => (a >>> 0 >= x >>> 0 ? then() : otherwise());
    default:
      return () => ((a & x) !== 0 ? then() : otherwise());
  }
}

/** What goes on with the next instruction after something without a branch. */
function plain(act: () => void, next: Step): Step {
  return () => {
    act();
    return next();
  };
}

/** The step of one instruction; `after(n)` is the step `n` instructions behind the next one. */
function stepOf(instruction: BpfInstruction, after: (skip: number) => Step): Step {
  const { code, jt, jf, k } = instruction;
  const next = (): Step => after(0);
  switch (code) {
    case BPF_RET | BPF_K:
      return () => k;
    case BPF_RET | BPF_A:
      return () => a >>> 0;
    case BPF_LD | BPF_W | BPF_ABS:
      return loadWord(k, next());
    case BPF_LD | BPF_H | BPF_ABS:
      return loadHalf(k, next());
    case BPF_LD | BPF_B | BPF_ABS:
      return loadByte(k, next());
    case BPF_LD | BPF_W | BPF_IND:
      return indexedWord(k, next());
    case BPF_LD | BPF_H | BPF_IND:
      return indexedHalf(k, next());
    case BPF_LD | BPF_B | BPF_IND:
      return indexedByte(k, next());
    case BPF_LDX | BPF_B | BPF_MSH:
      return loadHeaderLength(k, next());
    case BPF_LD | BPF_W | BPF_LEN:
      return plain(() => (a = pktLen), next());
    case BPF_LDX | BPF_W | BPF_LEN:
      return plain(() => (x = pktLen), next());
    case BPF_LD | BPF_IMM:
      return plain(() => (a = k | 0), next());
    case BPF_LDX | BPF_IMM:
      return plain(() => (x = k | 0), next());
    case BPF_LD | BPF_MEM:
      return plain(() => (a = scratch[k]!), next());
    case BPF_LDX | BPF_MEM:
      return plain(() => (x = scratch[k]!), next());
    case BPF_ST:
      return plain(() => (scratch[k] = a), next());
    case BPF_STX:
      return plain(() => (scratch[k] = x), next());
    case BPF_MISC | BPF_TAX:
      return plain(() => (x = a), next());
    case BPF_MISC | BPF_TXA:
      return plain(() => (a = x), next());
    case BPF_JMP | BPF_JA:
      return after(k);
    default:
  }
  if (bpfClass(code) === BPF_ALU) return compute(instruction, next());
  if (bpfClass(code) !== BPF_JMP) return reject;
  const operation = bpfOperation(code);
  if (bpfSource(code) === BPF_K) return jumpOnConstant(operation, k, after(jt), after(jf));
  return jumpOnIndex(operation, after(jt), after(jf));
}

/** The first step of a program. Jumps only go forward, so the last instruction is made first. */
function firstStep(program: BpfProgram): Step {
  const steps: Step[] = program.map(() => reject);
  for (let i = program.length - 1; i >= 0; i--) {
    steps[i] = stepOf(program[i]!, (skip) => steps[i + 1 + skip] ?? reject);
  }
  return steps[0] ?? reject;
}

/** The engine: runs a program on the first `count` packets of the batch. */
export function closuresEngine(program: BpfProgram): (count: number) => void {
  const first = firstStep(program);
  return (count) => {
    for (let i = 0; i < count; i++) {
      packet = packetOf(i);
      ({ data, len, pktLen } = mbuf(packet));
      a = 0;
      x = 0;
      setResult(i, first());
    }
  };
}
