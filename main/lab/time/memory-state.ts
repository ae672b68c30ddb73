/**
 * The one memory as a whole: clearing it for a new lab, its digest, its pages in use, and where it differs from an image of it. For labs in virtual time, between
 * two events; what observers keep there (observers.ts) does not count.
 */
import { createHash } from 'node:crypto';
import { f64, memoryBytes, openedRegions, u32, u8 } from '../../../stack/memory/memory.ts';
import type { Region } from '../../../stack/memory/memory.ts';
import type { Fields, Struct } from '../../../stack/memory/struct.ts';
import { recordsIn, regionAt, usedExtents } from '../../../stack/memory/usage.ts';
import { OBSERVER_FIELDS, isObservers, survivesReset } from './observers.ts';

/** Images are made of pages that are not all zero. */
export const PAGE_BYTES = 4096;

/** Bytes and where they lie. */
export interface Run {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** Pages in use that follow one another make one run, up to so many bytes. */
const LONGEST_RUN = 1024 * 1024;

/** The memory as it was before the first lab; regions that were opened since were zero. */
let pristine: readonly Run[] | undefined;

/** Keeps what the memory holds before the first lab. Later calls do nothing. */
export function keepPristine(): void {
  pristine ??= openedRegions()
    .filter(({ name }) => !survivesReset(name))
    .flatMap((region) => runsOf(region));
}

/** Clears the memory as it was before the first lab: the next one finds the same as that. No lab runs, and nothing is held. */
export function resetMemory(): void {
  if (pristine === undefined) return;
  // How far regions are used is written in the memory itself: asked before any of it is cleared.
  const used = openedRegions()
    .filter(({ name }) => !survivesReset(name))
    .flatMap(usedExtents);
  for (const { from, to } of used) u8.fill(0, from, to);
  for (const { address, bytes } of pristine) u8.set(bytes, address);
}

function labRegions(): Region[] {
  return openedRegions().filter(({ name }) => !isObservers(name));
}

function isZero(from: number, to: number): boolean {
  let at = from;
  for (; at < to && (at & 3) !== 0; at++) if (u8[at] !== 0) return false;
  for (; at + 4 <= to; at += 4) if (u32[at >>> 2] !== 0) return false;
  for (; at < to; at++) if (u8[at] !== 0) return false;
  return true;
}

/** Copies of the pages of a region that are not all zero. */
function runsOf(region: Region): Run[] {
  const runs: Run[] = [];
  for (const { from, to } of usedExtents(region)) {
    let start = -1;
    for (let at = from; at < to; at = Math.min(to, at + PAGE_BYTES)) {
      const end = Math.min(to, at + PAGE_BYTES);
      const used = !isZero(at, end);
      if (used && start < 0) start = at;
      if (start >= 0 && (!used || end - start >= LONGEST_RUN || end === to)) {
        runs.push({ address: start, bytes: u8.slice(start, used ? end : at) });
        start = -1;
      }
    }
  }
  return runs;
}

/** Calls `work` while the fields of observers are zero. */
function withoutObservers<T>(work: () => T): T {
  const kept: number[] = [];
  for (const { struct, field } of OBSERVER_FIELDS) {
    for (const table of tablesOf(struct.name)) {
      const end = table.base + table.used() * table.stride;
      for (let at = table.base + struct.offsets[field]!; at < end; at += table.stride) {
        const value = u32[at >>> 2]!;
        if (value === 0) continue;
        kept.push(at, value);
        u32[at >>> 2] = 0;
      }
    }
  }
  try {
    return work();
  } finally {
    for (let i = 0; i < kept.length; i += 2) u32[kept[i]! >>> 2] = kept[i + 1]!;
  }
}

function tablesOf(struct: string): { base: number; stride: number; used(): number }[] {
  return openedRegions().flatMap(({ name }) => {
    const table = recordsIn(name);
    return table?.struct.name === struct ? [table] : [];
  });
}

/** A digest of all that makes up the lab: equal for equal states. */
export function digestMemory(): string {
  return withoutObservers(() => {
    const hash = createHash('sha256');
    for (const region of labRegions()) {
      for (const { from, to } of usedExtents(region)) hash.update(u8.subarray(from, to));
    }
    return hash.digest('base64url');
  });
}

/** Copies of all pages in use that make up the lab, in order of address. */
export function memoryImage(): Run[] {
  return withoutObservers(memoryRuns);
}

function memoryRuns(): Run[] {
  return labRegions()
    .flatMap(runsOf)
    .sort((a, b) => a.address - b.address);
}

/** Where the memory differs from an image of it, in words such as `tcpcb 3: sndUna is 17, not 4`: up to `most` places, one for each record or region. */
export function compareMemory(image: readonly Run[], most: number): string[] {
  return withoutObservers(() => {
    const differences: string[] = [];
    const compare = (address: number, expected: Uint8Array | undefined, length: number): void => {
      for (let offset = 0; offset < length && differences.length < most; offset++) {
        if (u8[address + offset] === (expected?.[offset] ?? 0)) continue;
        const at = address + offset;
        const place = placeOf(at);
        differences.push(describe(at, place, (from) => wordOf(expected, from - address)));
        offset = place.end - address - 1;
      }
    };
    for (const { address, bytes } of image) compare(address, bytes, bytes.length);
    // Pages that the image lacks were zero.
    for (const [from, to] of uncovered(memoryRuns(), image)) compare(from, undefined, to - from);
    return differences;
  });
}

/** The parts of some runs that others do not cover; both are in order of address. */
function uncovered(runs: readonly Run[], cover: readonly Run[]): [from: number, to: number][] {
  const parts: [number, number][] = [];
  for (const { address, bytes } of runs) {
    let from = address;
    const end = address + bytes.length;
    for (const other of cover) {
      if (other.address + other.bytes.length <= from || other.address >= end) continue;
      if (other.address > from) parts.push([from, other.address]);
      from = other.address + other.bytes.length;
    }
    if (from < end) parts.push([from, end]);
  }
  return parts;
}

/** What an address belongs to: a record, or a region. */
interface MemoryPlace {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly struct?: Struct<Fields>;
}

function placeOf(address: number): MemoryPlace {
  const region = regionAt(address);
  if (region === undefined) return { name: 'the memory', start: 0, end: memoryBytes };
  const table = recordsIn(region.name);
  if (table === undefined || address < table.base) {
    return {
      name: `region ${region.name}`,
      start: region.address,
      end: table?.base ?? region.address + region.bytes,
    };
  }
  const index = Math.floor((address - table.base) / table.stride);
  const start = table.base + index * table.stride;
  const { struct } = table;
  return { name: `${struct.name} ${index}`, start, end: start + table.stride, struct };
}

function describe(address: number, place: MemoryPlace, expected: (address: number) => number): string {
  const { name, start, struct } = place;
  const fields = Object.entries(struct?.offsets ?? {});
  const [field, offset] = fields.filter(([, at]) => start + at <= address).at(-1) ?? [];
  const word = address & ~3;
  const values = `${u32[word >>> 2]!} instead of ${expected(word)}`;
  if (field === undefined || offset === undefined) return `${name}: ${values} at offset ${word - start}`;
  const type = struct!.fields[field]!;
  if (type === 'f64') {
    const at = start + offset;
    const there = new Float64Array(Uint32Array.of(expected(at), expected(at + 4)).buffer)[0]!;
    return `${name}: ${field} is ${f64[at >>> 3]!} instead of ${there}`;
  }
  const inside = word - start - offset;
  return `${name}: ${field} is ${values}${inside > 0 ? ` at its offset ${inside}` : ''}`;
}

/** The word at an offset of an image's run; 0 without one. */
function wordOf(bytes: Uint8Array | undefined, offset: number): number {
  const at = (i: number): number => bytes?.[offset + i] ?? 0;
  return (at(0) | (at(1) << 8) | (at(2) << 16) | (at(3) << 24)) >>> 0;
}
