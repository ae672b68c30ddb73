// The engines of the BPF machine agree with its definition; which one runs.
import { afterEach, expect, test } from 'vitest';
import { BPF_LD, BPF_RET } from '../../../stack/filter/bpf/instruction.ts';
import type { BpfProgram } from '../../../stack/filter/bpf/instruction.ts';
import { leakReport, mFree } from '../../../stack/memory/mbuf.ts';
import { BPF_ENGINES, chosenEngine, compiledFilter } from '../../../stack/net/bpf/engine.ts';
import type { BpfEngine } from '../../../stack/net/bpf/engine.ts';
import { describePacket, resultOf } from '../../../stack/net/bpf/packet-batch.ts';
import { freeProgram, newProgram, readProgram } from '../../../stack/net/bpf/program.ts';
import { build } from '../memory/packets.ts';
import { compareEngines } from './bpf-comparing.ts';

afterEach(() => expect(Object.fromEntries(leakReport())).toEqual({}));

test('the three engines agree with the definition on random programs and packets', () => {
  expect(compareEngines(1, 400)).toBe(12_800);
});

const instruction = (code: number, k = 0, jt = 0, jf = 0): BpfProgram[number] => ({ code, jt, jf, k });
const engines = Object.keys(BPF_ENGINES) as BpfEngine[];

/** What the engines say of a packet made of these buffers. */
function verdicts(program: BpfProgram, ...buffers: readonly number[][]): number[] {
  const { m } = build(
    buffers.map((bytes) => ({ kind: 'small' as const, lead: 0, bytes: Uint8Array.from(bytes) })),
  );
  describePacket(0, m);
  const found = engines.map((engine) => {
    BPF_ENGINES[engine](program)(1);
    return resultOf(0);
  });
  mFree(m);
  return found;
}

test('loads are in network order, also across buffers, and end the program at the end of the packet', () => {
  const word = [instruction(BPF_LD | 0x20, 1), instruction(BPF_RET | 0x10)];
  expect(verdicts(word, [0, 0x81, 2, 3, 4])).toEqual([0x81020304, 0x81020304, 0x81020304]);
  expect(verdicts(word, [0, 0x81], [2], [], [3, 4, 5])).toEqual([0x81020304, 0x81020304, 0x81020304]);
  expect(verdicts(word, [0, 0x81], [2, 3])).toEqual([0, 0, 0]);
  const far = [instruction(BPF_LD | 0x20, 0xffff_fffe), instruction(BPF_RET, 1)];
  expect(verdicts(far, [0, 1, 2, 3])).toEqual([0, 0, 0]);
});

test('an index beyond the packet does not come round at 32 bits', () => {
  const program = [
    instruction(0x01, 0xffff_ffff),
    instruction(BPF_LD | 0x10 | 0x40, 2),
    instruction(BPF_RET, 7),
  ];
  expect(verdicts(program, [1, 2, 3, 4])).toEqual([0, 0, 0]);
});

test('the longest program: a chain of 511 jumps', () => {
  const program = [
    ...Array.from({ length: 255 }, () => instruction(0x15, 9, 0, 0)),
    ...Array.from({ length: 256 }, (_, i) => instruction(0x15, 0, 255 - i, 0)),
    instruction(BPF_RET, 5),
  ];
  expect(verdicts(program, [1])).toEqual([5, 5, 5]);
});

test('programs in the one memory are found again by what they say', () => {
  const first = [instruction(BPF_RET, 3)];
  const second = [instruction(BPF_RET, 4)];
  const a = newProgram(first);
  const made = compiledFilter(a, 0);
  expect(readProgram(a)).toEqual(first);
  expect(compiledFilter(a, 0)).toBe(made);
  freeProgram(a);
  // The same place, another program.
  const b = newProgram(second);
  expect(b).toBe(a);
  expect(compiledFilter(b, 0)).not.toBe(made);
  freeProgram(b);
  const again = newProgram(first);
  expect(compiledFilter(again, 0)).toBe(made);
  expect(compiledFilter(again, 3)).not.toBe(made);
  freeProgram(again);
});

test('net.bpf.engine: auto is WebAssembly where code may be generated', () => {
  expect([0, 1, 2, 3].map(chosenEngine)).toEqual(['wasm', 'wasm', 'closures', 'interpreter']);
});
