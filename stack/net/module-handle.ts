/**
 * What a module holds of one of its cards, or of its protocol on a stack: state, queues, the log, and its packets. Packets that are the module's are marked as such, so
 * that handing one over twice is noticed, and what a module loses is found when it goes.
 */
import { u8 } from '../memory/memory.ts';
import {
  ETHER_ALIGN,
  MLEN,
  isPacket,
  mFree,
  mFreeList,
  mGetCluster,
  mGetHeader,
  mOwn,
  mReclaim,
  mbuf,
  ownerTag,
} from '../memory/mbuf.ts';
import { mSharePacket, mTrimFront, mWritableFront } from '../memory/mbuf-chain.ts';
import { QUEUE_BYTES, dequeue, dequeueAll, enqueue, queueAt, queueLength } from '../memory/queue.ts';
import type { Queue } from '../memory/queue.ts';
import type { Fields, View } from '../memory/struct.ts';
import { refreshNow } from '../runtime/clock.ts';
import { SLOG } from '../runtime/messages/severity.ts';
import { randomUnit } from '../runtime/random.ts';
import { logStack } from './log.ts';
import { moduleFile } from './module.ts';
import type { LoadableModule, LogLevel, ModuleSelf, Packet, PacketQueue } from './module.ts';
import { moduleOf, moduleStruct, statesOf, switchOff } from './module-record.ts';
import type { ModuleRecord } from './module-record.ts';

const MODULE = ownerTag('module');
/** Most bytes of a packet that a module makes: an Ethernet frame. */
const MOST_BYTES = 1518;
const MOST_WRITABLE = 128;
const RANDOM = moduleStruct.offsets.random;

/** A module did what its contract does not allow. */
export class ContractError extends Error {
  constructor(text: string) {
    super(text);
    this.name = 'ContractError';
  }
}

class ModuleQueue implements PacketQueue {
  readonly queue: Queue;
  readonly #owner: number;

  constructor(at: number, owner: number, max: number) {
    this.queue = queueAt(at);
    this.queue.max = max;
    this.#owner = owner;
  }

  get length(): number {
    return queueLength(this.queue);
  }

  push(m: Packet): boolean {
    if (!isPacket(m) || mbuf(m).owner !== MODULE)
      throw new ContractError(`push(${m}): this is no packet of the module`);
    const before = mbuf(m).aux2;
    mbuf(m).aux2 = this.#owner;
    if (enqueue(this.queue, m)) return true;
    mbuf(m).aux2 = before;
    return false;
  }

  shift(): Packet {
    return dequeue(this.queue);
  }
}

/** Where in a module's own source an error came from, if its stack says so. */
function placeOf(error: Error): string {
  const line = /\n\s+at [^\n]*?([^/\\\n]+\.m?js)[^\n:]*:(\d+):\d+\)?/.exec(error.stack ?? '');
  return line === null ? '' : ` (${line[1]!.replace(/\?.*$/, '')}:${line[2]!})`;
}

export class ModuleHandle<S extends Fields = Fields> implements ModuleSelf<S> {
  readonly record: ModuleRecord;
  readonly serial: number;
  readonly bytes = u8;
  readonly state: View<S>;
  readonly queues: Readonly<Record<string, PacketQueue>>;
  readonly #own: readonly ModuleQueue[];

  constructor(record: ModuleRecord) {
    this.record = record;
    this.serial = record.serial;
    const states = statesOf(record.number);
    // A slab is made from the module's own declaration of S.
    this.state = (states === undefined ? { ptr: 0 } : states.get(record.state)) as View<S>;
    const named = Object.entries(moduleOf(record).queues ?? {});
    this.#own = named.map(([, max], i) => new ModuleQueue(record.queues + i * QUEUE_BYTES, record.ptr, max));
    this.queues = Object.fromEntries(named.map(([name], i) => [name, this.#own[i]!]));
  }

  get isFaulted(): boolean {
    return this.record.faulted !== 0;
  }

  get module(): LoadableModule {
    return moduleOf(this.record);
  }

  /** Bytes that are left free in front of a packet that it makes: by default, a frame begins there. */
  get lead(): number {
    return ETHER_ALIGN;
  }

  /** What the log calls it. */
  get label(): string {
    return `${moduleFile(this.module)}.so`;
  }

  /** Something in a callback went wrong for good: it is called no more. */
  fault(what: string, error: unknown, consequence: string): void {
    if (!switchOff(this.record)) return;
    const text = error instanceof Error ? `${error.name}: ${error.message}${placeOf(error)}` : String(error);
    this.log(`${what}: ${text}; ${consequence}`, 'error');
  }

  log(text: string, level: LogLevel = 'info'): void {
    logStack(this.record.stack, SLOG[level] ?? SLOG.info, String(text), this.label);
  }

  now(): number {
    return refreshNow();
  }

  random(): number {
    return randomUnit(this.record.ptr + RANDOM);
  }

  /** Marks a packet as the module's. */
  adopt(m: Packet): void {
    mOwn(m, MODULE);
    mbuf(m).aux2 = this.record.ptr;
  }

  /** True if a packet is still the module's: after a callback that failed. */
  holds(m: Packet): boolean {
    return isPacket(m) && mbuf(m).owner === MODULE && mbuf(m).aux2 === this.record.ptr;
  }

  /** A packet leaves the module. Throws if it was not the module's. */
  release(m: Packet, what: string): void {
    this.expectOurs(m, what);
    mbuf(m).aux2 = 0;
    mbuf(m).nextpkt = 0;
  }

  expectOurs(m: Packet, what: string): void {
    if (this.holds(m)) return;
    const why = isPacket(m)
      ? 'it was handed over before, or never was the module’s'
      : 'it was freed before, or is none';
    throw new ContractError(`${what}: the packet is not to be used: ${why}`);
  }

  packet(length: number): Packet {
    if (!Number.isInteger(length) || length < 0 || length > MOST_BYTES)
      throw new ContractError(`packet(${length}): a packet has 0 to ${MOST_BYTES} bytes`);
    const { lead } = this;
    const m = length + lead <= MLEN ? mGetHeader(MODULE, lead) : mGetCluster(MODULE, lead);
    if (m === 0) return 0;
    const view = mbuf(m);
    view.len = length;
    view.pktLen = length;
    view.aux2 = this.record.ptr;
    return m;
  }

  length(m: Packet): number {
    this.expectOurs(m, 'length()');
    return mbuf(m).pktLen;
  }

  data(m: Packet): number {
    this.expectOurs(m, 'data()');
    return mbuf(m).data;
  }

  contiguous(m: Packet): number {
    this.expectOurs(m, 'contiguous()');
    return mbuf(m).len;
  }

  writable(m: Packet, count: number): Packet {
    this.expectOurs(m, 'writable()');
    if (!Number.isInteger(count) || count < 0 || count > MOST_WRITABLE)
      throw new ContractError(`writable(${count}): at most ${MOST_WRITABLE} bytes can be made writable`);
    if (mbuf(m).pktLen < count) {
      mFree(m);
      return 0;
    }
    return mWritableFront(m, count);
  }

  read(m: Packet, offset: number, count: number): Uint8Array {
    this.expectOurs(m, 'read()');
    const bytes = new Uint8Array(Math.max(0, Math.min(count, mbuf(m).pktLen - offset)));
    let skip = offset;
    for (let at = 0, part = m; at < bytes.length; part = mbuf(part).next) {
      const { data, len } = mbuf(part);
      const from = Math.min(skip, len);
      const n = Math.min(len - from, bytes.length - at);
      bytes.set(u8.subarray(data + from, data + from + n), at);
      at += n;
      skip -= from;
    }
    return bytes;
  }

  copy(m: Packet): Packet {
    this.expectOurs(m, 'copy()');
    const copy = mSharePacket(MODULE, m);
    if (copy !== 0) mbuf(copy).aux2 = this.record.ptr;
    return copy;
  }

  trimFront(m: Packet, count: number): void {
    this.expectOurs(m, 'trimFront()');
    mTrimFront(m, Math.max(0, Math.min(count, mbuf(m).pktLen)));
  }

  free(m: Packet): void {
    this.expectOurs(m, 'free()');
    mFree(m);
  }

  /** Frees what waits in its queues. */
  dropQueues(): void {
    for (const { queue } of this.#own) mFreeList(dequeueAll(queue));
  }

  /** Frees the packets that it still holds; says how many were lost somewhere. No thread works. */
  reclaim(): number {
    this.dropQueues();
    return mReclaim(MODULE, this.record.ptr);
  }
}
