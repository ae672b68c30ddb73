/**
 * The basic blocks of a BPF program: runs of instructions that are entered at the first one only. Jumps only go forward, so blocks come behind all that lead to them,
 * and one pass in order finds how many bytes of the packet are known to be there when a block is entered.
 */
import {
  BPF_ABS,
  BPF_H,
  BPF_IND,
  BPF_JA,
  BPF_JMP,
  BPF_LD,
  BPF_LDX,
  BPF_MSH,
  BPF_RET,
  BPF_W,
  bpfClass,
  bpfMode,
  bpfOperation,
  bpfSize,
} from '../../filter/bpf/instruction.ts';
import type { BpfInstruction, BpfProgram } from '../../filter/bpf/instruction.ts';

export interface BasicBlock {
  readonly index: number;
  /** Its instructions: from `first` up to, not including, `end`. */
  readonly first: number;
  readonly end: number;
  /** Blocks that may follow: of a conditional jump, that of a true condition comes first. */
  readonly next: readonly number[];
  /** Bytes that all ways to it have found at the front of the packet. */
  checked: number;
}

/** Bytes that a load takes from the packet. */
export function loadWidth({ code }: BpfInstruction): number {
  if (bpfSize(code) === BPF_W) return 4;
  return bpfSize(code) === BPF_H ? 2 : 1;
}

/** Bytes at the front of the packet that an instruction needs: its program ends where they are not there. 0: none. */
export function bytesNeeded(instruction: BpfInstruction): number {
  const { code, k } = instruction;
  if (bpfClass(code) !== BPF_LD && bpfClass(code) !== BPF_LDX) return 0;
  const mode = bpfMode(code);
  const looks = mode === BPF_ABS || mode === BPF_IND || mode === BPF_MSH;
  return looks ? k + loadWidth(instruction) : 0;
}

/** Where the instruction at `i` may lead; empty for a return. */
function successors({ code, jt, jf, k }: BpfInstruction, i: number): number[] {
  if (bpfClass(code) === BPF_RET) return [];
  if (bpfClass(code) !== BPF_JMP) return [i + 1];
  return bpfOperation(code) === BPF_JA ? [i + 1 + k] : [i + 1 + jt, i + 1 + jf];
}

/** Takes a valid program apart. */
export function basicBlocks(program: BpfProgram): readonly BasicBlock[] {
  const leaders = new Set([0]);
  program.forEach((instruction, i) => {
    const kind = bpfClass(instruction.code);
    if (kind !== BPF_JMP && kind !== BPF_RET) return;
    for (const target of [i + 1, ...successors(instruction, i)]) leaders.add(target);
  });
  const starts = [...leaders].filter((start) => start < program.length).sort((a, b) => a - b);
  const blockOf = new Map(starts.map((start, index) => [start, index]));
  const blocks = starts.map((first, index): BasicBlock => {
    const end = starts[index + 1] ?? program.length;
    const next = successors(program[end - 1]!, end - 1).map((target) => blockOf.get(target)!);
    return { index, first, end, next, checked: index === 0 ? 0 : Infinity };
  });
  for (const block of blocks) passOn(program, blocks, block);
  return blocks;
}

/** Tells the blocks behind `block` what it has found. */
function passOn(program: BpfProgram, blocks: readonly BasicBlock[], block: BasicBlock): void {
  // Nothing leads to it.
  if (block.checked === Infinity) block.checked = 0;
  let found = block.checked;
  for (let i = block.first; i < block.end; i++) found = Math.max(found, bytesNeeded(program[i]!));
  for (const index of block.next) blocks[index]!.checked = Math.min(blocks[index]!.checked, found);
}
