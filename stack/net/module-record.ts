/**
 * Modules in this thread by their number, and the record in the one memory of each card and each protocol that a module serves. A module that faults is switched off: its
 * record says so to every thread, and waits for thread 0 to clear up.
 */
import { i32, region } from '../memory/memory.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import type { Slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import type { Fields, ViewOf } from '../memory/struct.ts';
import { ringBell } from '../runtime/messages/post.ts';
import { CALLOUT_BYTES } from '../runtime/wheel.ts';
import { MOST_QUEUES, MOST_TIMERS, moduleFile } from './module.ts';
import type { LoadableModule } from './module.ts';

/** Most EtherTypes, and most IP protocols, that a protocol can claim. */
export const MOST_CLAIMS = 8;

export const moduleStruct = struct('module', {
  /** Next protocol of the stack. */
  next: 'ptr',
  nextpkt: 'ptr',
  stack: 'ptr',
  /** Number of its module: the same in every thread. */
  number: 'u32',
  /** Tells it from others that had this record before. */
  serial: 'i32',
  /** 1 when it was switched off. */
  faulted: 'i32',
  /** Of a card: its interface. */
  interface: 'ptr',
  /** Record with the module's state, 0 if it has none. */
  state: 'ptr',
  random: 'u32',
  /** 1 while the protocol watches what comes in, and the EtherType if it is only one. */
  watches: 'u8',
  watchedType: 'u16',
  etherTypes: { bytes: MOST_CLAIMS * 2 },
  ipProtocols: { bytes: MOST_CLAIMS },
  etherTypeCount: 'u8',
  ipProtocolCount: 'u8',
  queues: { bytes: MOST_QUEUES * QUEUE_BYTES },
  timers: { bytes: MOST_TIMERS * CALLOUT_BYTES },
});
export type ModuleRecord = ViewOf<typeof moduleStruct>;
export const moduleRecords = slab(moduleStruct, 4096);

interface Known {
  readonly module: LoadableModule;
  readonly states: Slab<Fields> | undefined;
}
const known: (Known | undefined)[] = [];

/** Makes a module known to this thread by its number. A number means the same module for as long as the memory exists. */
export function setModule(number: number, module: LoadableModule): void {
  if (known[number]?.module === module) return;
  const { state } = module;
  const states =
    state === undefined ? undefined : slab(struct(`module${number}`, state), moduleRecords.capacity);
  while (known.length <= number) known.push(undefined);
  known[number] = { module, states };
}

/** The module that serves a record. */
export function moduleOf(record: ModuleRecord): LoadableModule {
  return known[record.number]!.module;
}

/** Where a module keeps the states of its cards, or of its stacks; undefined if it has none. */
export function statesOf(number: number): Slab<Fields> | undefined {
  return known[number]!.states;
}

const serialWord = region('module serial', 64) >>> 2;

/** A record for a card or a protocol of a module; 0 when there is no room. */
export function newModuleRecord(stack: number, number: number): number {
  const states = statesOf(number);
  const state = states?.alloc() ?? 0;
  const ptr = states !== undefined && state === 0 ? 0 : moduleRecords.alloc();
  if (ptr === 0) {
    if (state !== 0) states?.free(state);
    return 0;
  }
  const record = moduleRecords.get(ptr);
  record.stack = stack;
  record.number = number;
  record.serial = Atomics.add(i32, serialWord, 1) + 1;
  record.state = state;
  return ptr;
}

/** Frees a record, whose packets and timers are gone. No thread works. */
export function freeModuleRecord(record: ModuleRecord): void {
  if (record.faulted !== 0) takeFaults((other) => other.ptr !== record.ptr && enqueue(faults, other.ptr));
  if (record.state !== 0) statesOf(record.number)!.free(record.state);
  moduleRecords.free(record.ptr);
}

const FAULTED = moduleStruct.offsets.faulted;
const faults = queueAt(region('module faults', QUEUE_BYTES));

/** Switches a card or a protocol off; false if it was off already. */
export function switchOff(record: ModuleRecord): boolean {
  if (Atomics.exchange(i32, (record.ptr + FAULTED) >>> 2, 1) !== 0) return false;
  enqueue(faults, record.ptr);
  ringBell();
  return true;
}

/** Files, without their ending, of the modules of a stack that were switched off, or that have a card which was. */
export function faultedFiles(stack: number): Set<string> {
  const files = new Set<string>();
  moduleRecords.each((record) => {
    if (record.stack === stack && record.faulted !== 0) files.add(moduleFile(moduleOf(record)));
  });
  return files;
}

/** True if the module in `file` (without its ending) is loaded into a stack, and works. */
export function isLoaded(stack: number, file: string): boolean {
  let found = false;
  moduleRecords.each((record) => {
    const here = record.stack === stack && record.faulted === 0;
    if (here && moduleFile(moduleOf(record)) === file) found = true;
  });
  return found;
}

/** True while thread 0 has faults to clear up. */
export function hasFaults(): boolean {
  return faults.len !== 0;
}

/** Thread 0, while no thread works: hands out what was switched off. */
export function takeFaults(visit: (record: ModuleRecord) => void): void {
  for (let ptr = dequeueAll(faults); ptr !== 0;) {
    const next = nextRecord(ptr);
    visit(moduleRecords.get(ptr));
    ptr = next;
  }
}
