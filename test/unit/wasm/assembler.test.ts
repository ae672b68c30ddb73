/*
 * The assembler by what its modules do when they run: encodings at their limits, control flow, memory access.
 */

import { describe, expect, it } from 'vitest';
import { WasmAssembler } from '../../../stack/memory/wasm/assembler.ts';
import { flatten, signedLeb, unsignedLeb } from '../../../stack/memory/wasm/encoding.ts';
import {
  block,
  br,
  brIf,
  brTable,
  drop,
  i32,
  i32x4,
  i64,
  ifElse,
  loop,
  memoryFill,
  return_,
  select,
  unreachable,
  v128,
  type Expr,
  type I32,
  type Statement,
} from '../../../stack/memory/wasm/instructions.ts';

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
const bytes = new Uint8Array(memory.buffer);

type NumericFunction = (...values: number[]) => number;

/** The exported functions of a module, instantiated on the test memory. */
function run(assembler: WasmAssembler): Record<string, NumericFunction> {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(assembler.toBytes()), { env: { memory } });
  return instance.exports as Record<string, NumericFunction>;
}

/** A module with one function `f` of two i32 parameters, already instantiated. */
function functionOf(body: (a: I32, b: I32) => readonly [...Statement[], I32]): NumericFunction {
  const assembler = new WasmAssembler('env', 'memory');
  assembler.addFunction({
    exportName: 'f',
    params: { a: 'i32', b: 'i32' },
    variables: {},
    result: 'i32',
    body: ({ a, b }) => body(a.get, b.get),
  });
  return run(assembler)['f']!;
}

describe('LEB128', () => {
  it.each([
    [0, [0]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [624485, [0xe5, 0x8e, 0x26]],
    [0xffffffff, [0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('unsigned %i', (value, encoded) => {
    expect(unsignedLeb(value)).toEqual(encoded);
  });

  it.each([
    [0n, [0]],
    [63n, [0x3f]],
    [64n, [0xc0, 0x00]],
    [-1n, [0x7f]],
    [-64n, [0x40]],
    [-65n, [0xbf, 0x7f]],
    [-123456n, [0xc0, 0xbb, 0x78]],
    [-(2n ** 31n), [0x80, 0x80, 0x80, 0x80, 0x78]],
  ])('signed %i', (value, encoded) => {
    expect(signedLeb(value)).toEqual(encoded);
  });
});

describe('flatten', () => {
  it('keeps the order of nested code and survives any depth', () => {
    expect(flatten([1, [2, [3, []], 4], [[5]]])).toEqual([1, 2, 3, 4, 5]);
    let deep: readonly (number | readonly unknown[])[] = [1];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(flatten(deep as Parameters<typeof flatten>[0])).toEqual([1]);
  });
});

describe('integer instructions', () => {
  const a = 0x89abcdef | 0;
  const b = 13;
  const cases: [keyof typeof i32, number][] = [
    ['add', (a + b) | 0],
    ['sub', (a - b) | 0],
    ['mul', Math.imul(a, b)],
    ['divU', Math.floor((a >>> 0) / b)],
    ['remU', (a >>> 0) % b],
    ['and', a & b],
    ['or', a | b],
    ['xor', a ^ b],
    ['shl', a << b],
    ['shrS', a >> b],
    ['shrU', a >>> b],
    ['rotl', (a << b) | (a >>> (32 - b))],
    ['rotr', (a >>> b) | (a << (32 - b))],
    ['eq', 0],
    ['ne', 1],
    ['ltS', 1],
    ['ltU', 0],
    ['gtS', 0],
    ['gtU', 1],
    ['leS', 1],
    ['leU', 0],
    ['geS', 0],
    ['geU', 1],
  ];
  it.each(cases)('i32.%s', (instruction, expected) => {
    const apply = i32[instruction] as (x: I32, y: I32) => I32;
    expect(functionOf((x, y) => [apply(x, y)])(a, b)).toBe(expected | 0);
  });

  it('passes constants of either sign whole', () => {
    for (const value of [0, -1, 63, 64, -64, -65, 0x7fffffff, -0x80000000, 0xffffffff]) {
      expect(functionOf(() => [i32.const(value)])(0, 0)).toBe(value | 0);
    }
  });

  it('works on 64 bits', () => {
    const high = i64.shrU(
      i64.add(i64.const(0xffff_fffe_0000_0001n), i64.extendI32U(i32.const(-1))),
      i64.const(32n),
    );
    expect(functionOf(() => [i32.wrapI64(high)])(0, 0)).toBe(-1);
    expect(functionOf((x) => [i64.eqz(i64.xor(i64.extendI32U(x), i64.const(5n)))])(5, 0)).toBe(1);
  });
});

describe('control', () => {
  it('loops and leaves blocks by label', () => {
    const assembler = new WasmAssembler('env', 'memory');
    assembler.addFunction({
      exportName: 'sumTo',
      params: { n: 'i32' },
      variables: { sum: 'i32' },
      result: 'i32',
      body: ({ n, sum }) => [
        block(
          loop(
            brIf(i32.eqz(n.get), 1),
            sum.set(i32.add(sum.get, n.get)),
            n.set(i32.sub(n.get, i32.const(1))),
            br(0),
          ),
        ),
        sum.get,
      ],
    });
    expect(run(assembler)['sumTo']!(100)).toBe(5050);
  });

  it('takes either arm of an if, with early return', () => {
    const f = functionOf((x) => [ifElse(x, [return_(i32.const(1))], [return_(i32.const(2))]), unreachable]);
    expect([f(7, 0), f(0, 0)]).toEqual([1, 2]);
  });

  it('selects a branch from a table', () => {
    const f = functionOf((x) => [
      block(block(block(brTable(x, [0, 1], 2)), return_(i32.const(10))), return_(i32.const(11))),
      i32.const(12),
    ]);
    expect([0, 1, 2, 99].map((value) => f(value, 0))).toEqual([10, 11, 12, 12]);
  });

  it('selects without a branch', () => {
    const min = functionOf((x, y) => [select(x, y, i32.ltU(x, y))]);
    expect([min(3, 9), min(9, 3)]).toEqual([3, 3]);
  });

  it('nests thousands of blocks, as a long filter does', () => {
    let nested: Expr<'void'> = brTable(i32.const(0), [], 3999);
    for (let i = 0; i < 4000; i++) nested = block(nested);
    expect(functionOf((x) => [nested, x])(42, 0)).toBe(42);
  });

  it('calls functions defined before', () => {
    const assembler = new WasmAssembler('env', 'memory');
    const double = assembler.addFunction({
      params: { x: 'i32' },
      variables: {},
      result: 'i32',
      body: ({ x }) => [i32.add(x.get, x.get)],
    });
    assembler.addFunction({
      exportName: 'quadruple',
      params: { x: 'i32' },
      variables: {},
      result: 'i32',
      body: ({ x }) => [drop(double.call(x.get)), double.call(double.call(x.get))],
    });
    const exported = run(assembler);
    expect(Object.keys(exported)).toEqual(['quadruple']);
    expect(exported['quadruple']!(5)).toBe(20);
  });
});

describe('memory and vectors', () => {
  it('loads and stores each width at odd addresses and with offsets', () => {
    bytes.set([0x11, 0x22, 0x33, 0x84, 0x55, 0x66, 0x77, 0x88], 301);
    expect(functionOf((x) => [i32.load(x, 1)])(300, 0)).toBe(0x84332211 | 0);
    expect(functionOf((x) => [i32.load16U(x, 300)])(2, 0)).toBe(0x3322);
    expect(functionOf((x) => [i32.load8U(x)])(304, 0)).toBe(0x84);
    functionOf((x) => [i64.store(x, i64.load(x), 16), i32.store16(x, i32.const(0xabcd), 32), i32.const(0)])(
      301,
      0,
    );
    expect([...bytes.slice(317, 325)]).toEqual([...bytes.slice(301, 309)]);
    expect([...bytes.slice(333, 336)]).toEqual([0xcd, 0xab, 0]);
  });

  it('fills memory', () => {
    functionOf((x, y) => [memoryFill(x, i32.const(0x5a), y), i32.const(0)])(1001, 3);
    expect([...bytes.slice(1000, 1005)]).toEqual([0, 0x5a, 0x5a, 0x5a, 0]);
  });

  it('compares lanes', () => {
    bytes.set([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0], 2000);
    const contains = functionOf((x, y) => [v128.anyTrue(i32x4.eq(v128.load(x), i32x4.splat(y)))]);
    expect([contains(2000, 3), contains(2000, 5)]).toEqual([1, 0]);
  });
});
