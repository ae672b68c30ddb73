/**
 * The reference engine of the BPF machine (bpf(4)) over packets that are chains of mbufs: what the other engines must agree with on every packet. A load beyond the
 * end of the packet, or a division by zero, ends the program with 0.
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
  BPF_JMP,
  BPF_JSET,
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
  BPF_X,
  bpfClass,
  bpfOperation,
  bpfSource,
} from '../../filter/bpf/instruction.ts';
import type { BpfProgram } from '../../filter/bpf/instruction.ts';
import { bpfAlu, bpfCompare } from '../../filter/bpf/interpreter.ts';
import { chainByte, chainHalf, chainWord } from './chain-load.ts';
import { packetOf, setResult } from './packet-batch.ts';

// The compiler folds a module's own constants into its code; an imported one it reads through a cell every time.
const u8 = sharedU8;

/** A program as four words for each instruction: code, jt, jf, k. */
export type FlatProgram = Uint32Array;
const STRIDE = 4;

export function flatten(program: BpfProgram): FlatProgram {
  return Uint32Array.from(program.flatMap(({ code, jt, jf, k }) => [code, jt, jf, k]));
}

/** What is in it before a program begins does not matter: a valid one reads only what it has written. */
const scratch = new Uint32Array(BPF_MEMWORDS);

/** Runs a program on one packet. Returns the bytes to keep, unsigned. */
export function interpretPacket(program: FlatProgram, m: number): number {
  const { data, len, pktLen } = mbuf(m);
  let a = 0;
  let x = 0;
  for (let pc = 0; ; pc += STRIDE) {
    const code = program[pc]!;
    const k = program[pc + 3]!;
    // A switch looks at one case after the other: what filters are mostly made of comes first.
    switch (code) {
      case BPF_JMP | BPF_JEQ | BPF_K:
        pc += program[a === k ? pc + 1 : pc + 2]! * STRIDE;
        break;
      case BPF_LD | BPF_H | BPF_ABS:
        if (k + 2 > pktLen) return 0;
        a = k + 2 <= len ? be16(data + k) : chainHalf(m, k);
        break;
      case BPF_LD | BPF_B | BPF_ABS:
        if (k + 1 > pktLen) return 0;
        a = k < len ? u8[data + k]! : chainByte(m, k);
        break;
      case BPF_LD | BPF_W | BPF_ABS:
        if (k + 4 > pktLen) return 0;
        a = k + 4 <= len ? be32(data + k) >>> 0 : chainWord(m, k);
        break;
      case BPF_JMP | BPF_JSET | BPF_K:
        pc += program[(a & k) !== 0 ? pc + 1 : pc + 2]! * STRIDE;
        break;
      case BPF_RET | BPF_K:
        return k;
      case BPF_RET | BPF_A:
        return a;
      case BPF_LD | BPF_W | BPF_IND:
        if (x + k + 4 > pktLen) return 0;
        a = x + k + 4 <= len ? be32(data + x + k) >>> 0 : chainWord(m, x + k);
        break;
      case BPF_LD | BPF_H | BPF_IND:
        if (x + k + 2 > pktLen) return 0;
        a = x + k + 2 <= len ? be16(data + x + k) : chainHalf(m, x + k);
        break;
      case BPF_LD | BPF_B | BPF_IND:
        if (x + k + 1 > pktLen) return 0;
        a = x + k < len ? u8[data + x + k]! : chainByte(m, x + k);
        break;
      case BPF_LDX | BPF_B | BPF_MSH:
        if (k + 1 > pktLen) return 0;
        x = ((k < len ? u8[data + k]! : chainByte(m, k)) & 15) << 2;
        break;
      case BPF_LD | BPF_W | BPF_LEN:
        a = pktLen;
        break;
      case BPF_LDX | BPF_W | BPF_LEN:
        x = pktLen;
        break;
      case BPF_LD | BPF_IMM:
        a = k;
        break;
      case BPF_LDX | BPF_IMM:
        x = k;
        break;
      case BPF_LD | BPF_MEM:
        a = scratch[k]!;
        break;
      case BPF_LDX | BPF_MEM:
        x = scratch[k]!;
        break;
      case BPF_ST:
        scratch[k] = a;
        break;
      case BPF_STX:
        scratch[k] = x;
        break;
      case BPF_MISC | BPF_TAX:
        x = a;
        break;
      case BPF_MISC | BPF_TXA:
        a = x;
        break;
      case BPF_JMP | BPF_JA:
        pc += k * STRIDE;
        break;
      default: {
        const b = bpfSource(code) === BPF_X ? x : k;
        const operation = bpfOperation(code);
        if (bpfClass(code) === BPF_JMP)
          pc += program[bpfCompare(operation, a, b) ? pc + 1 : pc + 2]! * STRIDE;
        else {
          const result = bpfClass(code) === BPF_ALU ? bpfAlu(operation, a, b) : undefined;
          if (result === undefined) return 0;
          a = result;
        }
      }
    }
  }
}

/** The engine: runs a program on the first `count` packets of the batch. */
export function interpreterEngine(program: BpfProgram): (count: number) => void {
  const flat = flatten(program);
  return (count) => {
    for (let i = 0; i < count; i++) setResult(i, interpretPacket(flat, packetOf(i)));
  };
}
