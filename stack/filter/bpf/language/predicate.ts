/**
 * Conditions on a packet, before they are a program: comparisons of values joined by and, or and not. Their order is the order in which the program will look, which
 * matters because a load outside the packet rejects it.
 */
import { BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET } from '../instruction.ts';
import type { BpfInstruction } from '../instruction.ts';
import type { Value } from './value.ts';

export type Comparison = typeof BPF_JEQ | typeof BPF_JGT | typeof BPF_JGE | typeof BPF_JSET;

export type Predicate =
  | { readonly kind: 'constant'; readonly holds: boolean }
  | { readonly kind: 'test'; readonly comparison: Comparison; readonly left: Value; readonly right: Value }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Predicate[] }
  | { readonly kind: 'not'; readonly operand: Predicate }
  /** Always holds, and leaves a value in a scratch register. */
  | { readonly kind: 'assign'; readonly register: number; readonly value: Value }
  /** Always holds, if the value can be loaded at all. */
  | { readonly kind: 'probe'; readonly value: Value }
  /** Instructions of their own, possibly with a loop, that leave a number in A to compare with `equals`. */
  | { readonly kind: 'block'; readonly code: readonly BlockInstruction[]; readonly equals: number };

/** An instruction within a block; `scratch` marks one whose k is to be the scratch word of that register. */
export interface BlockInstruction extends BpfInstruction {
  readonly scratch?: number;
}

/** Decisions whose outcome does not depend on the packet. */
export const ALWAYS: Predicate = { kind: 'constant', holds: true };
export const NEVER: Predicate = { kind: 'constant', holds: false };

/** Holds without being a decision. */
export const NO_CONDITION: Predicate = { kind: 'and', operands: [] };

export function and(...operands: readonly Predicate[]): Predicate {
  return { kind: 'and', operands };
}

export function or(...operands: readonly Predicate[]): Predicate {
  return { kind: 'or', operands };
}

export function not(operand: Predicate): Predicate {
  return { kind: 'not', operand };
}

export function equal(left: Value, right: Value): Predicate {
  return { kind: 'test', comparison: BPF_JEQ, left, right };
}

export function greater(left: Value, right: Value): Predicate {
  return { kind: 'test', comparison: BPF_JGT, left, right };
}

export function greaterOrEqual(left: Value, right: Value): Predicate {
  return { kind: 'test', comparison: BPF_JGE, left, right };
}

/** Whether the values have a bit in common. */
export function commonBits(left: Value, right: Value): Predicate {
  return { kind: 'test', comparison: BPF_JSET, left, right };
}

export function assign(register: number, value: Value): Predicate {
  return { kind: 'assign', register, value };
}
