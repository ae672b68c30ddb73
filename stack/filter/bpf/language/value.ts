/**
 * Values that a filter computes from a packet, before they are instructions: constants, bytes, sums… Equal values are one object, so that comparing what two places of
 * a program compute is comparing references (value numbering by hash-consing).
 */
import {
  BPF_ADD,
  BPF_AND,
  BPF_DIV,
  BPF_LSH,
  BPF_MOD,
  BPF_MUL,
  BPF_OR,
  BPF_RSH,
  BPF_SUB,
  BPF_XOR,
} from '../instruction.ts';
import { bpfAlu } from '../interpreter.ts';

export type Value = ValueForm & {
  readonly id: number;
  /** The scratch registers it reads, one bit each. */
  readonly registers: number;
};

export type LoadSize = 1 | 2 | 4;

type ValueForm =
  | { readonly kind: 'constant'; readonly k: number }
  /** Length of the packet on the wire. */
  | { readonly kind: 'length' }
  /** Big-endian bytes at `base + offset`; without a base at `offset`. */
  | {
      readonly kind: 'load';
      readonly size: LoadSize;
      readonly base: Value | undefined;
      readonly offset: number;
    }
  /** Four times the low nibble of the byte at `offset`: the length of an IPv4 header. */
  | { readonly kind: 'headerLength'; readonly offset: number }
  | { readonly kind: 'alu'; readonly operation: number; readonly left: Value; readonly right: Value }
  | { readonly kind: 'negate'; readonly operand: Value }
  | { readonly kind: 'register'; readonly register: number };

const COMMUTATIVE: ReadonlySet<number> = new Set([BPF_ADD, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR]);
/** Operations that change nothing with 0 at their right. */
const ZERO_NEUTRAL: ReadonlySet<number> = new Set([BPF_ADD, BPF_SUB, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH]);

/** Makes values, each once. */
export class Values {
  readonly #known = new Map<string, Value>();
  #registers = 0;

  constant(k: number): Value {
    return this.#intern(`c${k >>> 0}`, { kind: 'constant', k: k >>> 0 }, 0);
  }

  length(): Value {
    return this.#intern('n', { kind: 'length' }, 0);
  }

  load(size: LoadSize, base: Value | undefined, offset: number): Value {
    if (base?.kind === 'constant') return this.load(size, undefined, base.k + offset);
    const k = offset >>> 0;
    const key = `l${size},${base?.id ?? '-'},${k}`;
    return this.#intern(key, { kind: 'load', size, base, offset: k }, base?.registers ?? 0);
  }

  headerLength(offset: number): Value {
    return this.#intern(`h${offset}`, { kind: 'headerLength', offset }, 0);
  }

  /** @param operation one of the operations of ALU; a constant division by zero must have been refused before. */
  alu(operation: number, left: Value, right: Value): Value {
    if (left.kind === 'constant' && right.kind === 'constant') {
      const k = bpfAlu(operation, left.k, right.k);
      if (k !== undefined) return this.constant(k);
    }
    if (left.kind === 'constant' && COMMUTATIVE.has(operation) && right.kind !== 'constant')
      return this.alu(operation, right, left);
    const simpler = right.kind === 'constant' ? this.#simplify(operation, left, right.k) : undefined;
    if (simpler !== undefined) return simpler;
    const key = `a${operation},${left.id},${right.id}`;
    return this.#intern(key, { kind: 'alu', operation, left, right }, left.registers | right.registers);
  }

  negate(operand: Value): Value {
    if (operand.kind === 'constant') return this.constant(-operand.k);
    return this.#intern(`m${operand.id}`, { kind: 'negate', operand }, operand.registers);
  }

  register(register: number): Value {
    return this.#intern(`r${register}`, { kind: 'register', register }, 1 << register);
  }

  /** A register of its own, not yet a scratch word; undefined if there are too many. */
  newRegister(): number | undefined {
    return this.#registers < 31 ? this.#registers++ : undefined;
  }

  #simplify(operation: number, left: Value, k: number): Value | undefined {
    if (k === 0 && ZERO_NEUTRAL.has(operation)) return left;
    if (k === 0 && (operation === BPF_MUL || operation === BPF_AND)) return this.constant(0);
    if (k === 1 && (operation === BPF_MUL || operation === BPF_DIV)) return left;
    if (k === 1 && operation === BPF_MOD) return undefined;
    if (operation === BPF_AND && coversAll(left, k)) return left;
    if (left.kind !== 'alu' || left.operation !== operation || left.right.kind !== 'constant')
      return undefined;
    // (v + a) + b is v + (a + b), and likewise for the other operations that may be regrouped.
    if (!COMMUTATIVE.has(operation)) return undefined;
    const joined = bpfAlu(operation, left.right.k, k);
    return joined === undefined ? undefined : this.alu(operation, left.left, this.constant(joined));
  }

  #intern(key: string, form: ValueForm, registers: number): Value {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value: Value = { ...form, id: this.#known.size, registers };
    this.#known.set(key, value);
    return value;
  }
}

/** Whether a mask keeps every bit that a value can have. */
function coversAll(value: Value, mask: number): boolean {
  if (mask === 0xffffffff) return true;
  if (value.kind !== 'load' || value.size === 4) return false;
  const widest = value.size === 1 ? 0xff : 0xffff;
  return (mask & widest) === widest;
}

/** What a value reads of the packet, which may be too short for it. */
export function loadsOf(value: Value): Value[] {
  switch (value.kind) {
    case 'load':
    case 'headerLength':
      return [value];
    case 'alu':
      return [...loadsOf(value.left), ...loadsOf(value.right)];
    case 'negate':
      return loadsOf(value.operand);
    default:
      return [];
  }
}
