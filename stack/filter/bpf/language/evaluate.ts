/**
 * Turns values into instructions that leave them in A or X, knowing what the two registers hold already. A value that is computed in several steps may need scratch words
 * for what must wait.
 */
import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_MEM,
  BPF_MISC,
  BPF_MSH,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_ST,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
} from '../instruction.ts';
import type { BpfInstruction } from '../instruction.ts';
import type { LoadSize, Value } from './value.ts';

/** What A and X hold: values that are all the same number. */
export interface RegisterContents {
  readonly a: readonly Value[];
  readonly x: readonly Value[];
}

export const NOTHING_HELD: RegisterContents = { a: [], x: [] };

/** Scratch words: those of registers by their number, and temporary ones beyond them. */
export interface ScratchWords {
  readonly wordOf: (register: number) => number;
  /** The word of the temporary value `depth`, from 0. */
  readonly temporary: (depth: number) => number;
}

const COMMUTATIVE: ReadonlySet<number> = new Set([BPF_ADD, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR]);
const SIZE_CODES: Readonly<Record<LoadSize, number>> = { 1: BPF_B, 2: BPF_H, 4: BPF_W };

/** Writes instructions one after the other. */
export class Evaluator {
  readonly instructions: BpfInstruction[] = [];
  readonly #scratch: ScratchWords;
  #a: readonly Value[];
  #x: readonly Value[];
  #waiting = 0;

  constructor(contents: RegisterContents, scratch: ScratchWords) {
    this.#a = contents.a;
    this.#x = contents.x;
    this.#scratch = scratch;
  }

  /** What the registers hold after the instructions so far. */
  contents(): RegisterContents {
    return { a: this.#a, x: this.#x };
  }

  emit(code: number, k = 0): void {
    this.instructions.push({ code, jt: 0, jf: 0, k });
  }

  /** Forgets what the registers hold. */
  forget(): void {
    this.#a = [];
    this.#x = [];
  }

  /** Puts a value into A, and into the scratch word of a register. */
  assign(register: number, self: Value, value: Value): void {
    this.toA(value);
    this.emit(BPF_ST, this.#scratch.wordOf(register));
    const unchanged = (held: Value): boolean => (held.registers & (1 << register)) === 0;
    this.#a = [...this.#a.filter(unchanged), self];
    this.#x = this.#x.filter(unchanged);
  }

  /** Puts a value into A. */
  toA(value: Value): void {
    if (this.#a.includes(value)) return;
    this.#computeA(value);
    this.#a = this.#x.includes(value) ? this.#x : [value];
  }

  /** Puts one value into A and another into X; if `commutative`, which is where may be exchanged. A right side that is constant is left out. */
  operands(left: Value, right: Value, commutative: boolean): void {
    if (right.kind === 'constant') {
      this.toA(left);
    } else if (this.#canFollow(right, left)) {
      this.toA(left);
      this.#toX(right);
    } else if (commutative && this.#canFollow(left, right)) {
      this.toA(right);
      this.#toX(left);
    } else {
      this.#rightFirst(left, right);
    }
  }

  #rightFirst(left: Value, right: Value): void {
    this.toA(right);
    // The right side is what X would hold by then.
    if (!this.#disturbsX(left, this.#a)) {
      this.#copyToX();
      this.toA(left);
      return;
    }
    const word = this.#scratch.temporary(this.#waiting++);
    this.emit(BPF_ST, word);
    this.toA(left);
    this.emit(BPF_LDX | BPF_MEM, word);
    this.#x = [right];
    this.#waiting--;
  }

  /** Whether a value can be put into X after another was put into A, leaving A as it is. */
  #canFollow(value: Value, first: Value): boolean {
    if (value.kind === 'register' || value.kind === 'headerLength' || value.kind === 'length') return true;
    return this.#x.includes(value) && !this.#disturbsX(first, this.#x);
  }

  /** Whether putting a value into A changes X, if X holds these values then. */
  #disturbsX(value: Value, x: readonly Value[]): boolean {
    switch (value.kind) {
      case 'constant':
      case 'length':
      case 'register':
        return false;
      case 'headerLength':
        return !x.includes(value);
      case 'load':
        return value.base !== undefined && !x.includes(value.base);
      case 'negate':
        return this.#disturbsX(value.operand, x);
      case 'alu':
        return value.right.kind !== 'constant' || this.#disturbsX(value.left, x);
    }
  }

  #computeA(value: Value): void {
    if (this.#x.includes(value)) {
      this.emit(BPF_MISC | BPF_TXA);
      return;
    }
    switch (value.kind) {
      case 'constant':
        this.emit(BPF_LD | BPF_IMM, value.k);
        break;
      case 'length':
        this.emit(BPF_LD | BPF_LEN);
        break;
      case 'register':
        this.emit(BPF_LD | BPF_MEM, this.#scratch.wordOf(value.register));
        break;
      case 'headerLength':
        this.#toX(value);
        this.emit(BPF_MISC | BPF_TXA);
        break;
      case 'load':
        this.#load(value.size, value.base, value.offset);
        break;
      case 'negate':
        this.toA(value.operand);
        this.emit(BPF_ALU | BPF_NEG);
        break;
      case 'alu':
        this.#operate(value.operation, value.left, value.right);
        break;
    }
  }

  #load(size: LoadSize, base: Value | undefined, offset: number): void {
    if (base !== undefined) this.#toX(base);
    this.emit(BPF_LD | SIZE_CODES[size] | (base === undefined ? BPF_ABS : BPF_IND), offset);
  }

  #operate(operation: number, left: Value, right: Value): void {
    this.operands(left, right, COMMUTATIVE.has(operation));
    if (right.kind === 'constant') this.emit(BPF_ALU | operation | BPF_K, right.k);
    else this.emit(BPF_ALU | operation | BPF_X);
  }

  /** Puts a value into X; A survives only for values that need no computing. */
  #toX(value: Value): void {
    if (this.#x.includes(value)) return;
    switch (value.kind) {
      case 'constant':
        this.emit(BPF_LDX | BPF_IMM, value.k);
        break;
      case 'length':
        this.emit(BPF_LDX | BPF_LEN);
        break;
      case 'register':
        if (this.#a.includes(value)) return this.#copyToX();
        this.emit(BPF_LDX | BPF_MEM, this.#scratch.wordOf(value.register));
        break;
      case 'headerLength':
        this.emit(BPF_LDX | BPF_MSH | BPF_B, value.offset);
        break;
      default:
        this.toA(value);
        return this.#copyToX();
    }
    this.#x = [value];
  }

  #copyToX(): void {
    this.emit(BPF_MISC | BPF_TAX);
    this.#x = this.#a;
  }
}
