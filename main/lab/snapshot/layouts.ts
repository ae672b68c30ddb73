/**
 * The layout of the one memory in words: every struct with its fields, every region with its place. An image of the memory fits a program exactly if these are equal.
 */
import { createHash } from 'node:crypto';
import { debugPool, openedRegions } from '../../../stack/memory/memory.ts';
import { declaredStructs } from '../../../stack/memory/struct.ts';
import type { FieldType } from '../../../stack/memory/struct.ts';

export interface Layouts {
  /** Fields of each struct: `state:i32@0 next:ptr@4 ... =48`. */
  readonly structs: Readonly<Record<string, string>>;
  /** Address and bytes of each region: `16384+32`. */
  readonly regions: Readonly<Record<string, string>>;
  /** Free buffers hold poison (STACKSCOPE_DEBUG_POOL). */
  readonly poison: boolean;
}

/** The layout as it is now: it grows when modules from outside the program are loaded. */
export function memoryLayouts(): Layouts {
  return {
    structs: Object.fromEntries(
      declaredStructs().map(({ name, fields, offsets, size }) => [
        name,
        `${Object.entries(fields)
          .map(([field, type]) => `${field}:${typeText(type)}@${offsets[field]!}`)
          .join(' ')} =${size}`,
      ]),
    ),
    regions: Object.fromEntries(
      openedRegions().map(({ name, address, bytes }) => [name, `${address}+${bytes}`]),
    ),
    poison: debugPool,
  };
}

function typeText(type: FieldType): string {
  return typeof type === 'string' ? type : `bytes[${type.bytes}]`;
}

/** A short name for a layout: equal layouts have equal ones. */
export function layoutHash({ structs, regions, poison }: Layouts): string {
  const sorted = (table: Readonly<Record<string, string>>): unknown =>
    Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([sorted(structs), sorted(regions), poison]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** In what the layout of a snapshot differs from this program's, in words; empty if it does not. */
export function layoutDifferences(theirs: Layouts, ours: Layouts): string[] {
  if (theirs.poison !== ours.poison) {
    return [
      `it was made ${theirs.poison ? 'with' : 'without'} STACKSCOPE_DEBUG_POOL=1, this program runs ${ours.poison ? 'with' : 'without'} it`,
    ];
  }
  return [
    ...tableDifferences('struct', theirs.structs, ours.structs, structDifference),
    ...tableDifferences(
      'region',
      theirs.regions,
      ours.regions,
      (there, here) => `is at ${there} there, at ${here} here`,
    ),
  ];
}

function tableDifferences(
  kind: string,
  theirs: Readonly<Record<string, string>>,
  ours: Readonly<Record<string, string>>,
  difference: (there: string, here: string) => string,
): string[] {
  const names = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
  return [...names].flatMap((name) => {
    const [there, here] = [lookUp(theirs, name), lookUp(ours, name)];
    if (there === here) return [];
    if (here === undefined) return [`${kind} ${name}: this program has none`];
    if (there === undefined) return [`${kind} ${name}: the snapshot has none`];
    return [`${kind} ${name} ${difference(there, here)}`];
  });
}

function lookUp(table: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** The first field in which two structs differ. */
function structDifference(there: string, here: string): string {
  const [a, b] = [there.split(' '), here.split(' ')];
  const at = a.findIndex((word, i) => word !== b[i]);
  const word = (words: readonly string[]): string => {
    const text = words[at] ?? words.at(-1)!;
    return text.startsWith('=') ? `its end, ${text.slice(1)} bytes` : text;
  };
  return `has ${word(a)} there, ${word(b)} here`;
}

let program: Layouts | undefined;

/** The layout of the program itself: as it was when this was first asked, before any lab. */
export function programLayouts(): Layouts {
  return (program ??= memoryLayouts());
}
