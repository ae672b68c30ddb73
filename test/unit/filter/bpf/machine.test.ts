/** The BPF machine: what programs return, what the validator refuses, and the texts of tcpdump. */
import { describe, expect, test } from 'vitest';
import type { BpfInstruction, BpfProgram } from '../../../../stack/filter/bpf/instruction.ts';
import { interpret, trace } from '../../../../stack/filter/bpf/interpreter.ts';
import { decimalListing, initializerListing, listing } from '../../../../stack/filter/bpf/listing.ts';
import { readDecimalListing, readListing } from '../../../../stack/filter/bpf/listing-reader.ts';
import { validateProgram } from '../../../../stack/filter/bpf/validate.ts';

/** The program of a text in the form of `tcpdump -d`. */
function program(...lines: readonly string[]): BpfProgram {
  const read = readListing(
    lines.map((line, index) => `(${String(index).padStart(3, '0')}) ${line}`).join('\n'),
  );
  if ('fault' in read) throw new Error(`${read.fault.line}: ${read.fault.message}`);
  return read.program;
}

function result(lines: readonly string[], bytes: readonly number[] = [], wireLength = bytes.length): number {
  return interpret(program(...lines), Uint8Array.from(bytes), wireLength);
}

describe('the interpreter', () => {
  test.each([
    ['ld [0]', 0x81020304],
    ['ldh [1]', 0x0203],
    ['ldb [3]', 4],
  ])('%s is big-endian and unsigned', (load, value) => {
    expect(result([load, 'ret'], [0x81, 2, 3, 4])).toBe(value);
  });

  test('loads at an index, from a header length, and of the length on the wire', () => {
    expect(result(['ldx #0x2', 'ldb [x + 1]', 'ret'], [9, 9, 9, 7])).toBe(7);
    expect(result(['ldxb 4*([0]&0xf)', 'txa', 'ret'], [0x45])).toBe(20);
    expect(result(['ld #pktlen', 'ret'], [1], 1500)).toBe(1500);
  });

  test.each([
    ['a load behind the captured bytes', ['ld [1]', 'ret #9']],
    ['an index that would wrap around', ['ldx #0xffffffff', 'ldb [x + 2]', 'ret #9']],
    ['a division by zero', ['ldx #0x0', 'div x', 'ret #9']],
    ['a remainder of zero', ['ldx #0x0', 'mod x', 'ret #9']],
  ])('rejects for %s', (_, lines) => {
    expect(result(lines, [1, 2, 3, 4])).toBe(0);
  });

  test.each([
    ['add', 0xffffffff, 2, 1],
    ['sub', 1, 2, 0xffffffff],
    ['mul', 0x10001, 0x10001, 0x20001],
    ['div', 0xfffffffe, 2, 0x7fffffff],
    ['mod', 0xffffffff, 10, 5],
    ['and', 0xf0f0f0f0, 0xff00ff00, 0xf000f000],
    ['or', 0x80000000, 1, 0x80000001],
    ['xor', 0xffffffff, 0x0000ffff, 0xffff0000],
    ['lsh', 0x80000001, 1, 2],
    ['lsh', 1, 32, 0],
    ['rsh', 0x80000000, 31, 1],
    ['rsh', 0x80000000, 32, 0],
  ])('%s of 0x%s and 0x%s', (operation, left, right, value) => {
    const lines = [`ldx #0x${right.toString(16)}`, `ld #0x${left.toString(16)}`, `${operation} x`, 'ret'];
    expect(result(lines)).toBe(value);
  });

  test('keeps scratch words and negates', () => {
    expect(result(['ld #0x5', 'neg', 'st M[3]', 'ld #0x0', 'ldx M[3]', 'txa', 'ret'])).toBe(0xfffffffb);
  });

  test('tells each step with what it loaded and where it went', () => {
    const steps = [
      ...trace(program('ldb [1]', 'jgt #0x4 jt 2 jf 3', 'ret #1', 'ret #0'), Uint8Array.of(0, 5), 2),
    ];
    expect(steps.map(({ pc, a, branch, result: end }) => ({ pc, a, branch, end }))).toEqual([
      { pc: 0, a: 5, branch: undefined, end: undefined },
      { pc: 1, a: 5, branch: true, end: undefined },
      { pc: 2, a: 5, branch: undefined, end: 1 },
    ]);
    expect(steps[0]?.loaded).toEqual({ offset: 1, size: 1, value: 5 });
  });

  test('ends a program that jumps back for ever', () => {
    const forever: BpfInstruction[] = [{ code: 0x05, jt: 0, jf: 0, k: 0xffffffff }];
    expect(interpret(forever, new Uint8Array(0), 0)).toBe(0);
  });
});

describe('the validator', () => {
  const fine = program('ld [0]', 'jeq #0x1 jt 2 jf 3', 'ret #1', 'ret #0');

  test('accepts a program', () => {
    expect(validateProgram(fine)).toBeUndefined();
  });

  test.each<[string, BpfInstruction[] | BpfProgram, RegExp]>([
    ['nothing', [], /empty/],
    ['513 instructions', new Array<BpfInstruction>(513).fill({ code: 6, jt: 0, jf: 0, k: 0 }), /at most 512/],
    ['no return at the end', program('ret #0', 'ld [0]'), /instruction 1: .*return/],
    ['an unknown code', [{ code: 0xf7, jt: 0, jf: 0, k: 0 }, ...fine], /instruction 0: .*0xf7/],
    ['scratch word 16', program('st M[16]', 'ret #0'), /scratch word 16/],
    ['a constant division by zero', program('div #0', 'ret #0'), /instruction 0: it divides by zero/],
    [
      'a jump behind the end',
      [{ code: 0x15, jt: 9, jf: 0, k: 0 }, ...fine],
      /instruction 0: it jumps behind/,
    ],
    [
      'a jump backwards',
      [{ code: 0x05, jt: 0, jf: 0, k: 0xffffffff }, ...fine],
      /instruction 0: it jumps behind/,
    ],
    ['a scratch word never written', program('ld M[2]', 'ret'), /scratch word 2/],
    [
      'a scratch word written on one path only',
      program('ld [0]', 'jeq #0x1 jt 2 jf 3', 'st M[0]', 'ld M[0]', 'ret'),
      /instruction 3: it reads scratch word 0/,
    ],
  ])('refuses %s', (_, faulty, message) => {
    expect(validateProgram(faulty)).toMatch(message);
  });

  test('knows what every path has written', () => {
    const both = program('jeq #0x1 jt 1 jf 3', 'st M[0]', 'ja 4', 'st M[0]', 'ld M[0]', 'ret');
    expect(validateProgram(both)).toBeUndefined();
  });
});

describe('listings', () => {
  // Every operand form.
  const all = program(
    'ld [4]',
    'ldh [x + 14]',
    'ldb [9]',
    'ld #pktlen',
    'ld #0xab',
    'ld M[1]',
    'ldx #0x0',
    'ldx #pktlen',
    'ldx M[1]',
    'ldxb 4*([14]&0xf)',
    'st M[1]',
    'stx M[2]',
    'and #0xf0',
    'add #8',
    'add x',
    'neg',
    'tax',
    'txa',
    'ja 19',
    'jset #0x1fff jt 21 jf 20',
    'jgt x jt 21 jf 21',
    'ret #262144',
    'ret',
  );

  test('print as tcpdump does', () => {
    const [first, , third] = listing(
      program('ldh [12]', 'jeq #0x800 jt 2 jf 3', 'ret #262144', 'ret #0'),
    ).split('\n');
    expect(first).toBe('(000) ldh      [12]');
    expect(third).toBe('(002) ret      #262144');
    expect(listing(all)).toContain('(019) jset     #0x1fff          jt 21\tjf 20\n');
    expect(initializerListing(program('ldh [12]', 'ret #1'))).toBe(
      '{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0x00000001 },\n',
    );
    expect(decimalListing(program('ldh [12]', 'ret #1'))).toBe('2\n40 0 0 12\n6 0 0 1\n');
  });

  test('are read back', () => {
    expect(readListing(listing(all))).toEqual({ program: all });
    expect(readDecimalListing(decimalListing(all))).toEqual({ program: all });
  });

  test.each([
    ['(000) ldq [1]', 1, /ldq/],
    ['(000) ret #0\n(002) ret #0', 2, /\(001\)/],
  ])('%j is refused with its line', (text, line, message) => {
    const read = readListing(text);
    expect('fault' in read && read.fault).toEqual({
      line,
      message: expect.stringMatching(message) as string,
    });
  });

  test.each(['x', '2\n6 0 0 0\n', '1\n6 0 0\n', '1\n6 0 0 -1\n'])(
    'the decimal text %j is refused',
    (text) => {
      expect(readDecimalListing(text)).toHaveProperty('fault');
    },
  );
});
