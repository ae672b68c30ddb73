/**
 * The one memory: a shared WebAssembly.Memory of fixed size that holds everything of the data path (design: one memory).
 * Every thread evaluates this module over the same buffer; the first thread creates it, the others receive it as workerData.
 *
 * Addresses are byte offsets into the memory; 0 is the null address. Numbers in records are in host (little-endian) order;
 * packet bytes are in network order and are read with be16() and be32().
 */
import { workerData } from 'node:worker_threads';

const PAGE = 65_536;
const DEFAULT_MIB = 512;
/** Bytes at the bottom that belong to the directory of regions; no record lives below this address. */
const DIRECTORY_BYTES = 16_384;
const MAX_THREADS = 64;

/** What a thread of the pool is given when it starts. */
export interface ThreadSeat {
  readonly memory: WebAssembly.Memory;
  /** 0 is the thread that created the memory; workers count from 1. */
  readonly thread: number;
}

function seatOf(data: unknown): ThreadSeat | undefined {
  if (typeof data !== 'object' || data === null || !('stackscope' in data)) return undefined;
  return data.stackscope as ThreadSeat;
}

function createMemory(): WebAssembly.Memory {
  const mib = Number(process.env['STACKSCOPE_MEMORY_MIB'] ?? DEFAULT_MIB);
  if (!Number.isInteger(mib) || mib < 64 || mib > 2048) {
    throw new Error(`STACKSCOPE_MEMORY_MIB=${String(mib)}: expected a whole number of MiB from 64 to 2048`);
  }
  const pages = (mib * 1024 * 1024) / PAGE;
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

const seat = seatOf(workerData as unknown);

export const memory: WebAssembly.Memory = seat?.memory ?? createMemory();
/** Number of this thread: 0 for the one that created the memory. */
export const selfThread: number = seat?.thread ?? 0;
export const maxThreads = MAX_THREADS;
/** True in tests: freed buffers are poisoned and checked, owners are recorded. */
export const debugPool: boolean = process.env['STACKSCOPE_DEBUG_POOL'] === '1';

// The compiler folds a module's own constants into its code, not those that it exports or imports: what runs for every packet
// works on an array of its module's own.
const bytes = new Uint8Array(memory.buffer);
export const u8 = bytes;
export const u16 = new Uint16Array(memory.buffer);
export const i32 = new Int32Array(memory.buffer);
export const u32 = new Uint32Array(memory.buffer);
export const f64 = new Float64Array(memory.buffer);
export const memoryBytes: number = memory.buffer.byteLength;

/** Reads a 16-bit number in network byte order at any alignment. */
export function be16(p: number): number {
  return (bytes[p]! << 8) | bytes[p + 1]!;
}

/** Writes a 16-bit number in network byte order at any alignment. */
export function putBe16(p: number, value: number): void {
  bytes[p] = value >>> 8;
  bytes[p + 1] = value;
}

/** Reads a 32-bit number in network byte order at any alignment, as a signed 32-bit integer. */
export function be32(p: number): number {
  return (bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!;
}

/** Writes a 32-bit number in network byte order at any alignment. */
export function putBe32(p: number, value: number): void {
  bytes[p] = value >>> 24;
  bytes[p + 1] = value >>> 16;
  bytes[p + 2] = value >>> 8;
  bytes[p + 3] = value;
}

// The directory: word 16 a lock, word 17 the first free address, word 18 the number of regions, then entries of four words:
// two hashes of the name, address, bytes.
const DIR_LOCK = 16;
const DIR_TOP = 17;
const DIR_COUNT = 18;
const DIR_ENTRIES = 32;
const DIR_CAPACITY = (DIRECTORY_BYTES / 4 - DIR_ENTRIES) / 4;

function hashName(name: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return hash;
}

function lockDirectory(): void {
  while (Atomics.compareExchange(i32, DIR_LOCK, 0, 1) !== 0);
}

function carve(name: string, bytesWanted: number): number {
  const hash = hashName(name, 0x811c9dc5 | 0);
  const check = hashName(name, 0x2f0b4a27);
  const count = i32[DIR_COUNT]!;
  for (let entry = 0; entry < count; entry++) {
    const at = DIR_ENTRIES + entry * 4;
    if (i32[at] !== hash || i32[at + 1] !== check) continue;
    if (u32[at + 3] === bytesWanted) return u32[at + 2]!;
    throw new Error(`region ${name}: ${bytesWanted} bytes asked for, but it was opened with ${u32[at + 3]!}`);
  }
  const address = (Math.max(u32[DIR_TOP]!, DIRECTORY_BYTES) + 63) & ~63;
  if (address + bytesWanted > memoryBytes) {
    throw new Error(`region ${name}: ${bytesWanted} bytes do not fit into the memory`);
  }
  if (count === DIR_CAPACITY) throw new Error(`region ${name}: the directory is full (${count} regions)`);
  const at = DIR_ENTRIES + count * 4;
  i32[at] = hash;
  i32[at + 1] = check;
  u32[at + 2] = address;
  u32[at + 3] = bytesWanted;
  u32[DIR_TOP] = address + bytesWanted;
  i32[DIR_COUNT] = count + 1;
  return address;
}

/** A region that this thread has opened. */
export interface Region {
  readonly name: string;
  readonly address: number;
  readonly bytes: number;
}

const opened = new Map<string, Region>();

/** The regions that this thread has opened, in the order in which it first did. */
export function openedRegions(): readonly Region[] {
  return [...opened.values()];
}

/**
 * The address of the region called `name`, carved out on its first use by whichever thread asks first; 64-byte aligned and zeroed.
 * Throws if the memory is full or the region has another size: both are fixed by the program, not by its users.
 */
export function region(name: string, bytes: number): number {
  lockDirectory();
  try {
    const address = carve(name, bytes);
    opened.set(name, { name, address, bytes });
    return address;
  } finally {
    Atomics.store(i32, DIR_LOCK, 0);
  }
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Writes `text` as at most `max` bytes of UTF-8, cut between characters, and zeroes behind it. */
export function putText(p: number, max: number, text: string): void {
  const encoded = encoder.encode(text);
  let length = Math.min(encoded.length, max);
  while (length < encoded.length && (encoded[length]! & 0xc0) === 0x80) length--;
  bytes.set(encoded.subarray(0, length), p);
  bytes.fill(0, p + length, p + max);
}

/** Reads a zero-terminated text of at most `max` bytes. */
export function getText(p: number, max: number): string {
  let end = p;
  while (end < p + max && bytes[end] !== 0) end++;
  return decoder.decode(bytes.slice(p, end));
}
