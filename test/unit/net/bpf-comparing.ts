// The three engines of the BPF machine and its definition on bytes (stack/filter/bpf/interpreter.ts), on random valid programs and random packets that are split
// into chains at random places.
import { expect } from 'vitest';
import {
  BPF_A,
  BPF_ABS,
  BPF_ALU,
  BPF_B,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_MEM,
  BPF_MISC,
  BPF_MSH,
  BPF_NEG,
  BPF_RET,
  BPF_ST,
  BPF_STX,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
} from '../../../stack/filter/bpf/instruction.ts';
import type { BpfInstruction, BpfProgram } from '../../../stack/filter/bpf/instruction.ts';
import { interpret } from '../../../stack/filter/bpf/interpreter.ts';
import { validateProgram } from '../../../stack/filter/bpf/validate.ts';
import { mFree } from '../../../stack/memory/mbuf.ts';
import { BPF_ENGINES } from '../../../stack/net/bpf/engine.ts';
import type { BpfEngine } from '../../../stack/net/bpf/engine.ts';
import { BPF_BATCH, describePacket, resultOf } from '../../../stack/net/bpf/packet-batch.ts';
import { build } from '../memory/packets.ts';
import type { Built, Piece } from '../memory/packets.ts';

/** Numbers of a generator with a seed (xorshift). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  word(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }

  below(limit: number): number {
    return this.word() % limit;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  chance(oneIn: number): boolean {
    return this.below(oneIn) === 0;
  }
}

const LONGEST = 24;
/** Scratch words that every program writes first, so that all may be read. */
const WRITTEN = [0, 7, 15];
const OPERATIONS = Array.from({ length: 11 }, (_, i) => i << 4);
const [DIV, LSH, RSH, MOD] = [0x30, 0x60, 0x70, 0x90];
const CONDITIONS = [0x10, 0x20, 0x30, 0x40];

/** A constant: mostly one that a packet may have or that lies in it. */
function constant(dice: Dice): number {
  return dice.chance(12) ? dice.word() : dice.chance(3) ? dice.below(256) : dice.below(90);
}

function load(dice: Dice): BpfInstruction {
  const size = dice.of([BPF_W, BPF_H, BPF_B]);
  const k = constant(dice);
  const made = (code: number, value = k): BpfInstruction => ({ code, jt: 0, jf: 0, k: value });
  switch (dice.below(10)) {
    case 0:
      return made(dice.of([BPF_LD, BPF_LDX]) | BPF_IMM);
    case 1:
      return made(dice.of([BPF_LD, BPF_LDX]) | BPF_MEM, dice.of(WRITTEN));
    case 2:
      return made(dice.of([BPF_LD, BPF_LDX]) | BPF_W | BPF_LEN, 0);
    case 3:
      return made(BPF_LDX | BPF_B | BPF_MSH);
    case 4:
    case 5:
      return made(BPF_LD | size | BPF_IND);
    default:
      return made(BPF_LD | size | BPF_ABS);
  }
}

function compute(dice: Dice): BpfInstruction {
  const operation = dice.of(OPERATIONS);
  const source = operation === BPF_NEG ? BPF_K : dice.of([BPF_K, BPF_X]);
  let k = source === BPF_K ? constant(dice) : 0;
  if (operation === DIV || operation === MOD) k = k === 0 && source === BPF_K ? 1 : k;
  if (operation === LSH || operation === RSH) k %= 32;
  return { code: BPF_ALU | operation | source, jt: 0, jf: 0, k: operation === BPF_NEG ? 0 : k };
}

/** A jump with `room` instructions behind it. */
function jump(dice: Dice, room: number): BpfInstruction {
  const most = Math.min(room, 255);
  if (dice.chance(6)) return { code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: dice.below(most) };
  const source = dice.of([BPF_K, BPF_K, BPF_X]);
  return {
    code: BPF_JMP | dice.of(CONDITIONS) | source,
    jt: dice.below(most),
    jf: dice.below(most),
    k: source === BPF_K ? constant(dice) : 0,
  };
}

function other(dice: Dice): BpfInstruction {
  const k = dice.of(WRITTEN);
  return dice.of([
    { code: BPF_ST, jt: 0, jf: 0, k },
    { code: BPF_STX, jt: 0, jf: 0, k },
    { code: BPF_MISC | BPF_TAX, jt: 0, jf: 0, k: 0 },
    { code: BPF_MISC | BPF_TXA, jt: 0, jf: 0, k: 0 },
  ]);
}

function instruction(dice: Dice, room: number): BpfInstruction {
  if (room === 0 || dice.chance(15)) {
    const source = dice.of([BPF_K, BPF_A]);
    return { code: BPF_RET | source, jt: 0, jf: 0, k: source === BPF_K ? dice.word() : 0 };
  }
  const kind = dice.below(8);
  if (kind < 3) return load(dice);
  if (kind < 5) return compute(dice);
  return kind < 7 ? jump(dice, room) : other(dice);
}

/** A valid program. */
export function anyProgram(dice: Dice): BpfProgram {
  const start = WRITTEN.map((k): BpfInstruction => ({ code: BPF_STX, jt: 0, jf: 0, k }));
  const length = 1 + dice.below(LONGEST);
  return [...start, ...Array.from({ length }, (_, i) => instruction(dice, length - 1 - i))];
}

function anyPieces(dice: Dice): Piece[] {
  return Array.from({ length: 1 + dice.below(4) }, () => ({
    kind: dice.of(['small', 'cluster', 'shared'] as const),
    lead: dice.below(30),
    bytes: Uint8Array.from({ length: dice.chance(6) ? 0 : dice.below(50) }, () =>
      dice.chance(3) ? dice.below(4) : dice.below(256),
    ),
  }));
}

const NAMES = Object.keys(BPF_ENGINES) as BpfEngine[];

function answers(program: BpfProgram, engine: BpfEngine, count: number): number[] {
  BPF_ENGINES[engine](program)(count);
  return Array.from({ length: count }, (_, i) => resultOf(i));
}

/** Compares the engines on `programs` programs with a batch of packets each; returns how many pairs these were. */
export function compareEngines(seed: number, programs: number): number {
  const dice = new Dice(seed);
  let packets: Built[] = [];
  const drop = (): void => {
    for (const { m, sharers } of packets) for (const each of [m, ...sharers]) mFree(each);
  };
  for (let n = 0; n < programs; n++) {
    // Packets cost more to make than programs: a batch serves several.
    if (n % 8 === 0) {
      drop();
      packets = Array.from({ length: BPF_BATCH }, () => build(anyPieces(dice)));
    }
    packets.forEach(({ m }, i) => describePacket(i, m));
    const program = anyProgram(dice);
    const wrong = validateProgram(program);
    const wanted = packets.map(({ bytes }) => interpret(program, bytes, bytes.length));
    const all = NAMES.map((engine) => answers(program, engine, packets.length));
    if (wrong === undefined && all.every((list) => list.every((value, i) => value === wanted[i]))) continue;
    drop();
    expect({ program, wrong, all }).toEqual({ program, wrong: undefined, all: NAMES.map(() => wanted) });
  }
  drop();
  return programs * BPF_BATCH;
}
