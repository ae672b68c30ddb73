/*
 * The SIMD kernels that work on the one shared memory: Internet checksum, copy, and both in one pass.
 * Checksum: RFC 1071 (sum in native byte order: §2 (B); parallel and deferred carries: §2 (A), (C)).
 *
 * A "sum" here is the ones-complement sum of 16-bit words, folded to 16 bits, *not* complemented, in native
 * little-endian order: the range's first byte is the low half of the first word, and an odd last byte is a low half
 * too, padded with a zero high half. Its bytes therefore stand as they stand on the wire:
 *  - sums of two ranges combine by addition with end-around carry, provided the first range has an even length
 *    (after an odd one the second sum must be byte-swapped first: RFC 1071 §2 (B));
 *  - `~sum & 0xffff` stored with a plain little-endian 16-bit store is the checksum field in network order.
 * A sum is 0 only if every byte is 0; otherwise ones-complement zero appears as 0xffff.
 */

import { WasmAssembler } from './assembler.ts';
import {
  brIf,
  i32,
  i32x4,
  ifElse,
  loop,
  memoryCopy,
  select,
  v128,
  type I32,
  type Local,
  type Statement,
  type V128,
} from './instructions.ts';

/** The kernels of one thread, bound to the shared memory. Addresses and lengths are bytes, at any alignment. */
export interface Kernels {
  /** The sum of [address, address + length) (see above). Traps (RuntimeError) if out of bounds. */
  readonly checksum: (address: number, length: number) => number;
  /**
   * Copies `length` bytes between ranges that do not overlap and returns their sum. Out of bounds it traps
   * (RuntimeError) when it gets there: what lies before the bound may have been written.
   */
  readonly copyChecksum: (to: number, from: number, length: number) => number;
  /** Copies `length` bytes; ranges may overlap. Out of bounds it traps (RuntimeError) before it writes. */
  readonly copy: (to: number, from: number, length: number) => void;
}

const vectorBytes = 16;
const blockBytes = 64;
/** Half-words of at most 0xffff, one per lane and vector: their sum over this many bytes stays far below 2^32. */
const bytesBeforeFold = 512 * 1024;

/** What both summing kernels use beside their parameters. */
const sumVariables = {
  stop: 'i32',
  word: 'v128',
  whole0: 'v128',
  high0: 'v128',
  whole1: 'v128',
  high1: 'v128',
} as const;

type SumLocals = { readonly [K in keyof typeof sumVariables]: Local<(typeof sumVariables)[K]> } & {
  readonly from: Local<'i32'>;
  readonly length: Local<'i32'>;
  readonly to?: Local<'i32'>;
};

/** How to load and store one power of two of bytes; narrow loads leave zeros above, which add nothing. */
interface Access {
  readonly bytes: number;
  readonly load: (address: I32, offset: number) => V128;
  readonly store: (address: I32, value: V128, offset: number) => Statement;
}

const vectorAccess: Access = { bytes: vectorBytes, load: v128.load, store: v128.store };

const tailAccesses: readonly Access[] = [
  { bytes: 8, load: v128.load64Zero, store: (to, value, offset) => v128.store64Lane(to, value, 0, offset) },
  { bytes: 4, load: v128.load32Zero, store: (to, value, offset) => v128.store32Lane(to, value, 0, offset) },
  {
    bytes: 2,
    load: (from, offset) => v128.load16Lane(from, v128.zero, 0, offset),
    store: (to, value, offset) => v128.store16Lane(to, value, 0, offset),
  },
  {
    bytes: 1,
    load: (from, offset) => v128.load8Lane(from, v128.zero, 0, offset),
    store: (to, value, offset) => v128.store8Lane(to, value, 0, offset),
  },
];

/**
 * Adds one load to the accumulators. `whole` sums 32-bit lanes modulo 2^32 and `high` their upper halves; the sum
 * of the lower halves is then `whole - (high << 16)`, which saves one instruction over widening both halves.
 */
function accumulate(l: SumLocals, access: Access, offset: number, chain: 0 | 1): Statement[] {
  const [whole, high] = chain === 0 ? [l.whole0, l.high0] : [l.whole1, l.high1];
  return [
    l.word.set(access.load(l.from.get, offset)),
    ...(l.to === undefined ? [] : [access.store(l.to.get, l.word.get, offset)]),
    whole.set(i32x4.add(whole.get, l.word.get)),
    high.set(i32x4.add(high.get, i32x4.shrU(l.word.get, i32.const(16)))),
  ];
}

/** Moves on past `bytes` bytes. */
function advance(l: SumLocals, bytes: number): Statement[] {
  return [l.from, ...(l.to === undefined ? [] : [l.to])].map((pointer) =>
    pointer.set(i32.add(pointer.get, i32.const(bytes))),
  );
}

/** All accumulators as one vector whose lanes are below 2^19 and add up to the sum. */
function folded(l: SumLocals): V128 {
  const lanes = ([whole, high]: readonly [Local<'v128'>, Local<'v128'>]): V128 => {
    const low = i32x4.sub(whole.get, i32x4.shl(high.get, i32.const(16)));
    return i32x4.add(i32x4.extaddPairwiseI16x8U(low), i32x4.extaddPairwiseI16x8U(high.get));
  };
  return i32x4.add(lanes([l.whole0, l.high0]), lanes([l.whole1, l.high1]));
}

/** Whole blocks; folds the accumulators where more follows than they could take. */
function sumBlocks(l: SumLocals): Statement {
  const available = i32.and(l.length.get, i32.const(-blockBytes));
  const piece = select(
    available,
    i32.const(bytesBeforeFold),
    i32.ltU(l.length.get, i32.const(bytesBeforeFold)),
  );
  const isBlockLeft = i32.geU(l.length.get, i32.const(blockBytes));
  const offsets = Array.from({ length: blockBytes / vectorBytes }, (_, i) => i * vectorBytes);
  return ifElse(isBlockLeft, [
    loop(
      l.stop.set(piece),
      l.length.set(i32.sub(l.length.get, l.stop.get)),
      l.stop.set(i32.add(l.from.get, l.stop.get)),
      loop(
        ...offsets.flatMap((offset, i) => accumulate(l, vectorAccess, offset, i % 2 === 0 ? 0 : 1)),
        ...advance(l, blockBytes),
        brIf(i32.ne(l.from.get, l.stop.get), 0),
      ),
      ifElse(isBlockLeft, [
        l.whole0.set(folded(l)),
        l.whole1.set(v128.zero),
        l.high0.set(v128.zero),
        l.high1.set(v128.zero),
      ]),
      brIf(isBlockLeft, 0),
    ),
  ]);
}

/** What is left after the blocks: each bit of the length is one step. */
function sumRest(l: SumLocals): Statement[] {
  const step = (bytes: number, work: Statement[]): Statement =>
    ifElse(i32.and(l.length.get, i32.const(bytes)), [...work, ...advance(l, bytes)]);
  return [
    step(32, [...accumulate(l, vectorAccess, 0, 0), ...accumulate(l, vectorAccess, vectorBytes, 1)]),
    step(16, accumulate(l, vectorAccess, 0, 0)),
    ...tailAccesses.map((access) => step(access.bytes, accumulate(l, access, 0, 1))),
  ];
}

/** The four lanes added and folded to 16 bits; they are below 2^21 together, so two folds are enough. */
function foldTo16(l: SumLocals): [Statement, Statement, I32] {
  const sum = l.stop;
  const lane = (index: number): I32 => i32x4.extractLane(l.word.get, index);
  const fold = i32.add(i32.and(sum.get, i32.const(0xffff)), i32.shrU(sum.get, i32.const(16)));
  return [
    l.word.set(folded(l)),
    sum.set(i32.add(i32.add(lane(0), lane(1)), i32.add(lane(2), lane(3)))),
    i32.add(i32.and(sum.tee(fold), i32.const(0xffff)), i32.shrU(sum.get, i32.const(16))),
  ];
}

/** Sums, and copies on the way if there is a `to`. */
function sumBody(l: SumLocals): readonly [...Statement[], I32] {
  return [sumBlocks(l), ...sumRest(l), ...foldTo16(l)];
}

function assembleKernels(): Uint8Array<ArrayBuffer> {
  const assembler = new WasmAssembler('env', 'memory');
  assembler.addFunction({
    exportName: 'checksum',
    params: { from: 'i32', length: 'i32' },
    variables: sumVariables,
    result: 'i32',
    body: sumBody,
  });
  assembler.addFunction({
    exportName: 'copyChecksum',
    params: { to: 'i32', from: 'i32', length: 'i32' },
    variables: sumVariables,
    result: 'i32',
    body: sumBody,
  });
  assembler.addFunction({
    exportName: 'copy',
    params: { to: 'i32', from: 'i32', length: 'i32' },
    variables: {},
    result: 'void',
    body: (l) => [memoryCopy(l.to.get, l.from.get, l.length.get)],
  });
  return assembler.toBytes();
}

const kernelModule = new WebAssembly.Module(assembleKernels());

/**
 * The kernels on this memory, for the calling thread: call once per thread. The engine shares compiled code between
 * the threads of a process.
 *
 * @throws WebAssembly.LinkError if the memory is not shared.
 */
export function instantiateKernels(memory: WebAssembly.Memory): Kernels {
  const { exports } = new WebAssembly.Instance(kernelModule, { env: { memory } });
  // The declarations in assembleKernels are the proof of this type.
  return exports as unknown as Kernels;
}
