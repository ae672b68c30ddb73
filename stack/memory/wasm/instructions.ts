/*
 * WebAssembly instructions as typed, folded expressions: `i32.add(x.get, i32.const(4))` reads like the text format
 * and does not type-check where the module would not validate. Follows the WebAssembly Core Specification 2.0,
 * §5.4 (opcodes; vector instructions carry the prefix 0xfd).
 */

import { signedLeb, unsignedLeb, type Code } from './encoding.ts';

/** The value types in use; networking needs no floating point. */
export type ValueType = 'i32' | 'i64' | 'v128';

/** Instructions that leave one value of type T on the stack, or nothing for 'void'. */
export interface Expr<T extends ValueType | 'void'> {
  readonly code: Code;
  /** Exists for the type checker only. */
  readonly type?: T;
}

export type I32 = Expr<'i32'>;
export type I64 = Expr<'i64'>;
export type V128 = Expr<'v128'>;
export type Statement = Expr<'void'>;
/** Control never continues behind it, so it may stand wherever any type is expected. */
export type Never = Expr<never>;

const emit = <T extends ValueType | 'void'>(...code: Code[]): Expr<T> => ({ code });
const codes = (parts: readonly Expr<ValueType | 'void'>[]): Code => parts.map((part) => part.code);

const unary =
  <A extends ValueType, R extends ValueType>(...opcode: Code[]) =>
  (a: Expr<A>): Expr<R> =>
    emit(a.code, opcode);

const binary =
  <A extends ValueType, B extends ValueType, R extends ValueType>(...opcode: Code[]) =>
  (a: Expr<A>, b: Expr<B>): Expr<R> =>
    emit(a.code, b.code, opcode);

// Alignment in an access is only a hint; packets start anywhere, so the hint is always "byte".
const memoryArgument = (offset: number): Code => [0, unsignedLeb(offset)];

const loadOf =
  <R extends ValueType>(...opcode: Code[]) =>
  (address: I32, offset = 0): Expr<R> =>
    emit(address.code, opcode, memoryArgument(offset));

const storeOf =
  <A extends ValueType>(...opcode: Code[]) =>
  (address: I32, value: Expr<A>, offset = 0): Statement =>
    emit(address.code, value.code, opcode, memoryArgument(offset));

const i32Binary = (opcode: number) => binary<'i32', 'i32', 'i32'>(opcode);
const i64Binary = (opcode: number) => binary<'i64', 'i64', 'i64'>(opcode);
const i64Compare = (opcode: number) => binary<'i64', 'i64', 'i32'>(opcode);

/** 32-bit integers. Names are the specification's, in camel case; comparisons yield 0 or 1. */
export const i32 = {
  /** Any 32-bit value, given signed or unsigned. */
  const: (value: number): I32 => emit(0x41, signedLeb(BigInt(value | 0))),
  eqz: unary<'i32', 'i32'>(0x45),
  eq: i32Binary(0x46),
  ne: i32Binary(0x47),
  ltS: i32Binary(0x48),
  ltU: i32Binary(0x49),
  gtS: i32Binary(0x4a),
  gtU: i32Binary(0x4b),
  leS: i32Binary(0x4c),
  leU: i32Binary(0x4d),
  geS: i32Binary(0x4e),
  geU: i32Binary(0x4f),
  add: i32Binary(0x6a),
  sub: i32Binary(0x6b),
  mul: i32Binary(0x6c),
  divU: i32Binary(0x6e),
  remU: i32Binary(0x70),
  and: i32Binary(0x71),
  or: i32Binary(0x72),
  xor: i32Binary(0x73),
  shl: i32Binary(0x74),
  shrS: i32Binary(0x75),
  shrU: i32Binary(0x76),
  rotl: i32Binary(0x77),
  rotr: i32Binary(0x78),
  wrapI64: unary<'i64', 'i32'>(0xa7),
  load: loadOf<'i32'>(0x28),
  load8U: loadOf<'i32'>(0x2d),
  load16U: loadOf<'i32'>(0x2f),
  store: storeOf<'i32'>(0x36),
  store8: storeOf<'i32'>(0x3a),
  store16: storeOf<'i32'>(0x3b),
} as const;

/** 64-bit integers. */
export const i64 = {
  /** Any 64-bit value, given signed or unsigned. */
  const: (value: bigint): I64 => emit(0x42, signedLeb(BigInt.asIntN(64, value))),
  eqz: unary<'i64', 'i32'>(0x50),
  eq: i64Compare(0x51),
  ne: i64Compare(0x52),
  ltU: i64Compare(0x54),
  gtU: i64Compare(0x56),
  leU: i64Compare(0x58),
  geU: i64Compare(0x5a),
  add: i64Binary(0x7c),
  sub: i64Binary(0x7d),
  and: i64Binary(0x83),
  or: i64Binary(0x84),
  xor: i64Binary(0x85),
  shl: i64Binary(0x86),
  shrU: i64Binary(0x88),
  extendI32U: unary<'i32', 'i64'>(0xad),
  load: loadOf<'i64'>(0x29),
  store: storeOf<'i64'>(0x37),
} as const;

const simd = (opcode: number): Code => [0xfd, unsignedLeb(opcode)];
const simdUnary = (opcode: number) => unary<'v128', 'v128'>(simd(opcode));
const simdBinary = (opcode: number) => binary<'v128', 'v128', 'v128'>(simd(opcode));
const simdShift = (opcode: number) => binary<'v128', 'i32', 'v128'>(simd(opcode));

const loadLaneOf =
  (opcode: number) =>
  (address: I32, into: V128, lane: number, offset = 0): V128 =>
    emit(address.code, into.code, simd(opcode), memoryArgument(offset), lane);

const storeLaneOf =
  (opcode: number) =>
  (address: I32, from: V128, lane: number, offset = 0): Statement =>
    emit(address.code, from.code, simd(opcode), memoryArgument(offset), lane);

/** Vectors as a whole, whatever their lanes. */
export const v128 = {
  zero: emit<'v128'>(simd(0x0c), new Array<number>(16).fill(0)),
  and: simdBinary(0x4e),
  or: simdBinary(0x50),
  xor: simdBinary(0x51),
  anyTrue: unary<'v128', 'i32'>(simd(0x53)),
  load: loadOf<'v128'>(simd(0x00)),
  /** Loads 4 bytes into the low lane, zeros above. */
  load32Zero: loadOf<'v128'>(simd(0x5c)),
  /** Loads 8 bytes into the low lane, zeros above. */
  load64Zero: loadOf<'v128'>(simd(0x5d)),
  load8Lane: loadLaneOf(0x54),
  load16Lane: loadLaneOf(0x55),
  store: storeOf<'v128'>(simd(0x0b)),
  store8Lane: storeLaneOf(0x58),
  store16Lane: storeLaneOf(0x59),
  store32Lane: storeLaneOf(0x5a),
  store64Lane: storeLaneOf(0x5b),
} as const;

/** Vectors of four 32-bit lanes. */
export const i32x4 = {
  splat: unary<'i32', 'v128'>(simd(0x11)),
  extractLane: (a: V128, lane: number): I32 => emit(a.code, simd(0x1b), lane),
  eq: simdBinary(0x37),
  shl: simdShift(0xab),
  shrU: simdShift(0xad),
  add: simdBinary(0xae),
  sub: simdBinary(0xb1),
  /** Adds neighbouring unsigned 16-bit lanes into 32-bit lanes. */
  extaddPairwiseI16x8U: simdUnary(0x7f),
} as const;

const emptyBlockType = 0x40;
const end = 0x0b;

/** Runs its body; `br(0)` inside leaves it. Labels count enclosing blocks, loops and ifs outwards from 0. */
export const block = (...body: Statement[]): Statement => emit(0x02, emptyBlockType, codes(body), end);

/** Runs its body once; `br(0)` inside starts it again. */
export const loop = (...body: Statement[]): Statement => emit(0x03, emptyBlockType, codes(body), end);

/** Runs `then` when the condition is not zero, `otherwise` when it is. Counts as one label for both. */
export function ifElse(
  condition: I32,
  then: readonly Statement[],
  otherwise: readonly Statement[] = [],
): Statement {
  const alternative: Code = otherwise.length === 0 ? [] : [0x05, codes(otherwise)];
  return emit(condition.code, 0x04, emptyBlockType, codes(then), alternative, end);
}

export const br = (label: number): Never => emit(0x0c, unsignedLeb(label));
export const brIf = (condition: I32, label: number): Statement =>
  emit(condition.code, 0x0d, unsignedLeb(label));

/** Branches to `labels[index]`, or to `otherwise` when the index is beyond them. */
export const brTable = (index: I32, labels: readonly number[], otherwise: number): Never =>
  emit(index.code, 0x0e, unsignedLeb(labels.length), labels.map(unsignedLeb), unsignedLeb(otherwise));

/** Leaves the function with a value, or without where it has no result. */
export const return_ = (value?: Expr<ValueType>): Never => emit(value === undefined ? [] : value.code, 0x0f);

export const unreachable: Never = emit(0x00);
export const drop = (value: Expr<ValueType>): Statement => emit(value.code, 0x1a);

/** `yes` when the condition is not zero, else `no`; both are evaluated, without a branch. */
export const select = <T extends 'i32' | 'i64'>(yes: Expr<T>, no: Expr<T>, condition: I32): Expr<T> =>
  emit(yes.code, no.code, condition.code, 0x1b);

/** memory.copy: `length` bytes from `from` to `to`; the ranges may overlap. Traps before writing if out of bounds. */
export const memoryCopy = (to: I32, from: I32, length: I32): Statement =>
  emit(to.code, from.code, length.code, 0xfc, unsignedLeb(10), 0, 0);

/** memory.fill: `length` bytes of the low byte of `value`. */
export const memoryFill = (to: I32, value: I32, length: I32): Statement =>
  emit(to.code, value.code, length.code, 0xfc, unsignedLeb(11), 0);

/** A parameter or variable of a function. */
export interface Local<T extends ValueType> {
  readonly get: Expr<T>;
  readonly set: (value: Expr<T>) => Statement;
  /** Sets and leaves the value on the stack. */
  readonly tee: (value: Expr<T>) => Expr<T>;
}

/** The local with this index: parameters first, then variables. */
export function local<T extends ValueType>(index: number): Local<T> {
  const operand = unsignedLeb(index);
  return {
    get: emit(0x20, operand),
    set: (value) => emit(value.code, 0x21, operand),
    tee: (value) => emit(value.code, 0x22, operand),
  };
}

/** Calls the function with this index. */
export const call = <R extends ValueType | 'void'>(
  functionIndex: number,
  callArguments: readonly Expr<ValueType>[],
): Expr<R> => emit(codes(callArguments), 0x10, unsignedLeb(functionIndex));
