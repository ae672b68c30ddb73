/*
 * A small assembler for WebAssembly modules that work on one imported, shared memory: functions are written as
 * folded expressions (instructions.ts) and encoded to bytes in the process that runs them, so that no tool chain is
 * needed and generated code (packet filters) takes the same road as hand-written kernels.
 * Follows the WebAssembly Core Specification 2.0, §5.5 "Modules", and the threads proposal for shared memories.
 */

import { flatten, name, section, sized, unsignedLeb, vector, type Code } from './encoding.ts';
import { call, local, type Expr, type Local, type Statement, type ValueType } from './instructions.ts';

type Declarations = Readonly<Record<string, ValueType>>;
type Locals<D extends Declarations> = { readonly [K in keyof D]: Local<D[K]> };

/** What a function body must be: statements, and at the end the result if there is one. */
export type Body<R extends ValueType | 'void'> = R extends 'void'
  ? readonly Statement[]
  : readonly [...Statement[], Expr<R>];

/** One function of a module. */
export interface FunctionDeclaration<
  P extends Declarations,
  V extends Declarations,
  R extends ValueType | 'void',
> {
  /** Exported under this name; a function without one is only called from inside. */
  readonly exportName?: string;
  /** Parameters in call order. */
  readonly params: P;
  /** Further variables; they start at zero. */
  readonly variables: V;
  readonly result: R;
  readonly body: (locals: Locals<P> & Locals<V>) => Body<R>;
}

/** A function of the module, to be called from functions added later. */
export interface WasmFunction<R extends ValueType | 'void'> {
  readonly call: (...callArguments: Expr<ValueType>[]) => Expr<R>;
}

const valueTypeCode: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b };
const magicAndVersion: Code = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const sectionId = { type: 1, import: 2, function: 3, export: 7, code: 10 } as const;
const externalKind = { function: 0x00, memory: 0x02 } as const;
const functionTypeForm = 0x60;
const sharedWithMaximum = 0x03;
/** An import's maximum is an upper bound; the largest possible one accepts a shared memory of any size. */
const largestMemoryPages = 65536;

/** Builds one module: add functions, then take its bytes. */
export class WasmAssembler {
  readonly #memoryModule: string;
  readonly #memoryName: string;
  readonly #types: Code[] = [];
  readonly #bodies: Code[] = [];
  readonly #exports: Code[] = [];

  /** The shared memory is imported as `memoryModule.memoryName`. */
  constructor(memoryModule: string, memoryName: string) {
    this.#memoryModule = memoryModule;
    this.#memoryName = memoryName;
  }

  /** Adds a function; its body is written with the locals the declaration names. */
  addFunction<const P extends Declarations, const V extends Declarations, R extends ValueType | 'void'>(
    declaration: FunctionDeclaration<P, V, R>,
  ): WasmFunction<R> {
    const { exportName, params, variables, result } = declaration;
    const index = this.#bodies.length;
    this.#types.push([functionTypeForm, vector(typeCodes(params)), vector(resultCodes(result))]);
    if (exportName !== undefined) {
      this.#exports.push([name(exportName), externalKind.function, unsignedLeb(index)]);
    }
    const locals = { ...localsOf(params, 0), ...localsOf(variables, Object.keys(params).length) };
    this.#bodies.push(functionBody(variables, declaration.body(locals)));
    return { call: (...callArguments) => call<R>(index, callArguments) };
  }

  /** The module in binary format, ready for `new WebAssembly.Module`. */
  toBytes(): Uint8Array<ArrayBuffer> {
    const memoryType: Code = [sharedWithMaximum, unsignedLeb(0), unsignedLeb(largestMemoryPages)];
    const memory: Code = [name(this.#memoryModule), name(this.#memoryName), externalKind.memory, memoryType];
    // Every function brings its own type: equal types may be repeated, and the type index is the function's.
    const typeIndexes = this.#types.map((_, index) => unsignedLeb(index));
    const sections: Code = [
      section(sectionId.type, vector(this.#types)),
      section(sectionId.import, vector([memory])),
      section(sectionId.function, vector(typeIndexes)),
      section(sectionId.export, vector(this.#exports)),
      section(sectionId.code, vector(this.#bodies)),
    ];
    return new Uint8Array(flatten([magicAndVersion, sections]));
  }
}

function typeCodes(declarations: Declarations): number[] {
  return Object.values(declarations).map((type) => valueTypeCode[type]);
}

function resultCodes(result: ValueType | 'void'): number[] {
  return result === 'void' ? [] : [valueTypeCode[result]];
}

function localsOf<D extends Declarations>(declarations: D, firstIndex: number): Locals<D> {
  const entries = Object.keys(declarations).map((key, i) => [key, local(firstIndex + i)] as const);
  // One local for each key of D; neither the keys nor the types of their values survive fromEntries.
  return Object.fromEntries(entries) as unknown as Locals<D>;
}

function functionBody(variables: Declarations, body: readonly Expr<ValueType | 'void'>[]): Code {
  const groups = typeCodes(variables).map((type): Code => [unsignedLeb(1), type]);
  const end = 0x0b;
  return sized([vector(groups), body.map((part) => part.code), end]);
}
