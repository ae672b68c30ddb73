/**
 * struct(): declares the layout of a record in the one memory once and yields a view class with a getter and a setter per field.
 * The source of each class is generated with its offsets as constants, so every access site stays monomorphic
 * (design: one memory; a view reads module-constant arrays only).
 */
import { f64, i32, u16, u32, u8 } from './memory.ts';

/** A field: a number, an address, or so many bytes kept in place (read as their address). */
export type FieldType = 'u8' | 'u16' | 'i32' | 'u32' | 'f64' | 'ptr' | { readonly bytes: number };
export type Fields = Readonly<Record<string, FieldType>>;

type NumberFields<F extends Fields> = {
  -readonly [K in keyof F as F[K] extends string ? K : never]: number;
};
type PlaceFields<F extends Fields> = {
  readonly [K in keyof F as F[K] extends string ? never : K]: number;
};

/** A view of one record: its address and its fields; a field of bytes reads as the address of its first byte. */
export type View<F extends Fields> = { readonly ptr: number } & NumberFields<F> & PlaceFields<F>;

export interface Struct<F extends Fields> {
  readonly name: string;
  readonly fields: F;
  /** Bytes of one record, a multiple of 8. */
  readonly size: number;
  readonly offsets: { readonly [K in keyof F]: number };
  /** A new view of the record at an address; keep it, or take the cached one of the slab. */
  at(ptr: number): View<F>;
}

/** The view type of a declared struct. */
export type ViewOf<S> = S extends Struct<infer F> ? View<F> : never;

const WIDTH = { u8: 1, u16: 2, i32: 4, u32: 4, ptr: 4, f64: 8 } as const;
const SHIFT = { u8: 0, u16: 1, i32: 2, u32: 2, ptr: 2, f64: 3 } as const;
const ARRAY = { u8: 'u8', u16: 'u16', i32: 'i32', u32: 'u32', ptr: 'u32', f64: 'f64' } as const;

function align(offset: number, width: number): number {
  return (offset + width - 1) & ~(width - 1);
}

function accessor(name: string, type: FieldType, offset: number): string {
  if (typeof type !== 'string') return `get ${name}() { return this.ptr + ${offset}; }`;
  const place = `${ARRAY[type]}[(this.ptr + ${offset}) >>> ${SHIFT[type]}]`;
  return `get ${name}() { return ${place}; } set ${name}(value) { ${place} = value; }`;
}

const declared: Struct<Fields>[] = [];

/** The structs that this thread has declared, in order. */
export function declaredStructs(): readonly Struct<Fields>[] {
  return declared;
}

/** Lays out `fields` in order, each at its natural alignment (bytes at 8), and generates the view class. */
export function struct<const F extends Fields>(name: string, fields: F): Struct<F> {
  const offsets: Record<string, number> = {};
  const accessors: string[] = [];
  let end = 0;
  for (const [field, type] of Object.entries(fields)) {
    const width = typeof type === 'string' ? WIDTH[type] : 8;
    const offset = align(end, width);
    offsets[field] = offset;
    accessors.push(accessor(field, type, offset));
    end = offset + (typeof type === 'string' ? width : type.bytes);
  }
  const source = `'use strict'; return class ${name} { constructor(ptr) { this.ptr = ptr; } ${accessors.join(' ')} }`;
  // The text holds nothing but the declared names and offsets.
  const make = new Function('u8', 'u16', 'i32', 'u32', 'f64', source) as (
    ...arrays: ArrayLike<number>[]
  ) => new (ptr: number) => View<F>;
  const ViewClass = make(u8, u16, i32, u32, f64);
  const made: Struct<F> = {
    name,
    fields,
    size: align(end, 8),
    offsets: offsets as { readonly [K in keyof F]: number },
    at: (ptr) => new ViewClass(ptr),
  };
  declared.push(made);
  return made;
}
