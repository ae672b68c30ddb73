/**
 * The fastest engine of the BPF machine: each program becomes a WebAssembly function on the one memory, which is entered once for a batch of packets. It looks at the
 * first buffer of a packet only; where that does not suffice it says so, and the interpreter decides.
 *
 * Jumps of the machine only go forward, so its basic blocks nest: `block B3 (block B2 (block B1 (code of block 0) code of block 1) code of block 2)`, and a jump to
 * block n leaves the WebAssembly block that ends where n begins.
 */
import { memory } from '../../memory/memory.ts';
import { WasmAssembler } from '../../memory/wasm/assembler.ts';
import { block, br, brIf, i32, loop, select } from '../../memory/wasm/instructions.ts';
import type { I32, Local, Statement } from '../../memory/wasm/instructions.ts';
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
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_LD,
  BPF_LDX,
  BPF_LSH,
  BPF_MEM,
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
  BPF_TXA,
  BPF_X,
  BPF_XOR,
  bpfClass,
  bpfMisc,
  bpfMode,
  bpfOperation,
  bpfReturn,
  bpfSize,
  bpfSource,
} from '../../filter/bpf/instruction.ts';
import type { BpfInstruction, BpfProgram } from '../../filter/bpf/instruction.ts';
import { flatten, interpretPacket } from './interpreter.ts';
import { basicBlocks, bytesNeeded } from './basic-blocks.ts';
import type { BasicBlock } from './basic-blocks.ts';
import { bpfBatch, bpfPacketStruct, isUndecided, packetOf, setResult } from './packet-batch.ts';

const { data: DATA, len: LEN, pktLen: PKTLEN, result: RESULT, beyond: BEYOND } = bpfPacketStruct.offsets;

type Value = Local<'i32'>;
/** The variables of the function: what it looks at, and the registers. */
interface Machine {
  /** The packet's place in the batch. */
  readonly packet: Value;
  readonly data: Value;
  readonly len: Value;
  readonly a: Value;
  readonly x: Value;
  readonly scratch: readonly Value[];
}

/** Where a jump inside a basic block leads: labels to leave. */
interface Labels {
  readonly blockAt: (index: number) => number;
  /** The answer is there. */
  readonly done: number;
  /** The first buffer ends here, or a division by zero: the answer is 0. */
  readonly refused: number;
}

const EIGHT = i32.const(8);
const swap16 = (value: Value, raw: I32): I32 =>
  i32.or(i32.shl(i32.and(value.tee(raw), i32.const(0xff)), EIGHT), i32.shrU(value.get, EIGHT));
/** The bytes 0 and 2 go left by three places, 1 and 3 by one. */
const swap32 = (value: Value, raw: I32): I32 =>
  i32.or(
    i32.rotl(i32.and(value.tee(raw), i32.const(0x00ff00ff)), i32.const(24)),
    i32.and(i32.rotl(value.get, EIGHT), i32.const(0x00ff00ff)),
  );

/** The number at `address` + k, in network byte order. */
function numberAt(machine: Machine, code: number, address: I32, k: number): I32 {
  if (bpfSize(code) === BPF_B) return i32.load8U(address, k);
  if (bpfSize(code) === BPF_H) return swap16(machine.a, i32.load16U(address, k));
  return swap32(machine.a, i32.load(address, k));
}

/** Gives up unless the buffer has `bytes`; `checked` of them are known to be there. */
function expectBytes(machine: Machine, labels: Labels, bytes: number, checked: number): Statement[] {
  if (bytes <= checked) return [];
  if (bytes > 0xffff_ffff) return [br(labels.refused)];
  return [brIf(i32.ltU(machine.len.get, i32.const(bytes)), labels.refused)];
}

function load(machine: Machine, labels: Labels, instruction: BpfInstruction, checked: number): Statement[] {
  const { a, x, data, len, packet, scratch } = machine;
  const { code, k } = instruction;
  const target = bpfClass(code) === BPF_LD ? a : x;
  const end = bytesNeeded(instruction);
  switch (bpfMode(code)) {
    case BPF_IMM:
      return [target.set(i32.const(k))];
    case BPF_MEM:
      return [target.set(scratch[k]!.get)];
    case BPF_ABS:
      return [...expectBytes(machine, labels, end, checked), a.set(numberAt(machine, code, data.get, k))];
    case BPF_MSH:
      return [
        ...expectBytes(machine, labels, end, checked),
        x.set(i32.shl(i32.and(i32.load8U(data.get, k), i32.const(15)), i32.const(2))),
      ];
    case BPF_IND:
      return [
        ...expectBytes(machine, labels, end, checked),
        brIf(i32.gtU(x.get, i32.sub(len.get, i32.const(end))), labels.refused),
        a.set(numberAt(machine, code, i32.add(data.get, x.get), k)),
      ];
    default:
      return [target.set(i32.load(packet.get, PKTLEN))];
  }
}

/** A shift by the width or more leaves nothing, where WebAssembly would shift by the rest. */
const shift =
  (by: (a: I32, n: I32) => I32) =>
  (a: I32, n: I32): I32 =>
    select(by(a, n), i32.const(0), i32.ltU(n, i32.const(32)));

const OPERATIONS: Readonly<Record<number, (a: I32, b: I32) => I32>> = {
  [BPF_ADD]: i32.add,
  [BPF_SUB]: i32.sub,
  [BPF_MUL]: i32.mul,
  [BPF_DIV]: i32.divU,
  [BPF_MOD]: i32.remU,
  [BPF_AND]: i32.and,
  [BPF_OR]: i32.or,
  [BPF_XOR]: i32.xor,
  [BPF_LSH]: shift(i32.shl),
  [BPF_RSH]: shift(i32.shrU),
  [BPF_NEG]: (a) => i32.sub(i32.const(0), a),
};

function operand({ x }: Machine, { code, k }: BpfInstruction): I32 {
  return bpfSource(code) === BPF_X ? x.get : i32.const(k);
}

function compute(machine: Machine, labels: Labels, instruction: BpfInstruction): Statement[] {
  const operation = bpfOperation(instruction.code);
  const b = operand(machine, instruction);
  const divides = operation === BPF_DIV || operation === BPF_MOD;
  return [
    ...(divides ? [brIf(i32.eqz(b), labels.refused)] : []),
    machine.a.set(OPERATIONS[operation]!(machine.a.get, b)),
  ];
}

/** Leaves with the answer. */
function answer(machine: Machine, labels: Labels, value: I32): Statement[] {
  return [i32.store(machine.packet.get, value, RESULT), br(labels.done)];
}

function returned({ a }: Machine, { code, k }: BpfInstruction): I32 {
  return bpfReturn(code) === BPF_A ? a.get : i32.const(k);
}

const CONDITIONS: Readonly<Record<number, (a: I32, b: I32) => I32>> = {
  [BPF_JEQ]: i32.eq,
  [BPF_JGT]: i32.gtU,
  [BPF_JGE]: i32.geU,
};

/** The jump at the end of a block to those that may follow it; to the next one it falls through. */
function jump(machine: Machine, labels: Labels, from: BasicBlock, instruction: BpfInstruction): Statement[] {
  const [then, otherwise = then] = from.next;
  const next = from.index + 1;
  if (then === undefined || otherwise === undefined) return [];
  const goOn = (index: number): Statement[] => (index === next ? [] : [br(labels.blockAt(index))]);
  if (then === otherwise) return goOn(then);
  const test = CONDITIONS[bpfOperation(instruction.code)] ?? i32.and;
  const condition = test(machine.a.get, operand(machine, instruction));
  if (then === next) return [brIf(i32.eqz(condition), labels.blockAt(otherwise))];
  return [brIf(condition, labels.blockAt(then)), ...goOn(otherwise)];
}

function statementsOf(
  machine: Machine,
  labels: Labels,
  from: BasicBlock,
  instruction: BpfInstruction,
  checked: number,
): Statement[] {
  const { code, k } = instruction;
  switch (bpfClass(code)) {
    case BPF_LD:
    case BPF_LDX:
      return load(machine, labels, instruction, checked);
    case BPF_ST:
      return [machine.scratch[k]!.set(machine.a.get)];
    case BPF_STX:
      return [machine.scratch[k]!.set(machine.x.get)];
    case BPF_ALU:
      return compute(machine, labels, instruction);
    case BPF_RET:
      return answer(machine, labels, returned(machine, instruction));
    case BPF_JMP:
      return jump(machine, labels, from, instruction);
    default:
      return bpfMisc(code) === BPF_TXA ? [machine.a.set(machine.x.get)] : [machine.x.set(machine.a.get)];
  }
}

/** The code of a basic block, which is the `index`th of `count`. */
function codeOf(machine: Machine, program: BpfProgram, from: BasicBlock, count: number): Statement[] {
  const labels: Labels = {
    blockAt: (index) => index - from.index - 1,
    refused: count - from.index - 1,
    done: count - from.index,
  };
  const statements: Statement[] = [];
  let { checked } = from;
  for (let i = from.first; i < from.end; i++) {
    const instruction = program[i]!;
    statements.push(...statementsOf(machine, labels, from, instruction, checked));
    checked = Math.max(checked, bytesNeeded(instruction));
  }
  return statements;
}

/** The program for one packet: leaves its answer in the batch, and counts those that need the interpreter. */
function onePacket(machine: Machine, program: BpfProgram, undecided: Value): Statement {
  const { packet, data, len, a, x } = machine;
  const blocks = basicBlocks(program);
  const nested = blocks.reduce<Statement[]>(
    (before, from) => [
      ...(from.index === 0 ? [] : [block(...before)]),
      ...codeOf(machine, program, from, blocks.length),
    ],
    [],
  );
  const beyond = i32.ltU(len.get, i32.load(packet.get, PKTLEN));
  return block(
    block(
      data.set(i32.load(packet.get, DATA)),
      len.set(i32.load(packet.get, LEN)),
      // The scratch words keep what the packet before left there: a valid program reads only what it has written.
      a.set(i32.const(0)),
      x.set(i32.const(0)),
      i32.store(packet.get, i32.const(0), BEYOND),
      ...nested,
    ),
    i32.store(packet.get, i32.const(0), RESULT),
    i32.store(packet.get, beyond, BEYOND),
    undecided.set(i32.add(undecided.get, beyond)),
  );
}

/** The scratch words. */
const SCRATCH = {
  m0: 'i32',
  m1: 'i32',
  m2: 'i32',
  m3: 'i32',
  m4: 'i32',
  m5: 'i32',
  m6: 'i32',
  m7: 'i32',
  m8: 'i32',
  m9: 'i32',
  m10: 'i32',
  m11: 'i32',
  m12: 'i32',
  m13: 'i32',
  m14: 'i32',
  m15: 'i32',
} as const;
const REGISTERS = { data: 'i32', len: 'i32', a: 'i32', x: 'i32', undecided: 'i32' } as const;

function assemble(program: BpfProgram): Uint8Array<ArrayBuffer> {
  const assembler = new WasmAssembler('env', 'memory');
  assembler.addFunction({
    exportName: 'filter',
    params: { packet: 'i32', count: 'i32' },
    variables: { ...REGISTERS, ...SCRATCH },
    result: 'i32',
    body: (locals) => {
      const { packet, count, data, len, a, x, undecided } = locals;
      const scratch = (Object.keys(SCRATCH) as (keyof typeof SCRATCH)[]).map((name) => locals[name]);
      return [
        loop(
          onePacket({ packet, data, len, a, x, scratch }, program, undecided),
          packet.set(i32.add(packet.get, i32.const(bpfPacketStruct.size))),
          brIf(count.tee(i32.sub(count.get, i32.const(1))), 0),
        ),
        undecided.get,
      ];
    },
  });
  return assembler.toBytes();
}

/** @throws WebAssembly.CompileError where code generation is not allowed. */
function compile(program: BpfProgram): (packet: number, count: number) => number {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(assemble(program)), {
    env: { memory },
  });
  // The declaration in assemble() is the proof of this type.
  return exports['filter'] as (packet: number, count: number) => number;
}

/**
 * The engine: runs a program on the first `count` packets (1 to 32) of the batch.
 * @throws WebAssembly.CompileError where code generation is not allowed
 */
export function wasmEngine(program: BpfProgram): (count: number) => void {
  const filter = compile(program);
  const flat = flatten(program);
  return (count) => {
    if (filter(bpfBatch, count) === 0) return;
    for (let i = 0; i < count; i++) if (isUndecided(i)) setResult(i, interpretPacket(flat, packetOf(i)));
  };
}

let allowed: boolean | undefined;

/** True where code may be generated. */
export function canCompile(): boolean {
  try {
    allowed ??= compile([{ code: BPF_RET, jt: 0, jf: 0, k: 0 }]) !== undefined;
  } catch {
    allowed = false;
  }
  return allowed;
}
