/**
 * Packets on their way by an interface, shown to a BPF descriptor (bpf_tap, bpf_mtap): its filter runs on up to 32 of them at once, and those that it takes are copied.
 * In whatever thread drained the interface or sends by it.
 */
import { lock, unlock } from '../../memory/lock.ts';
import { u32, u8 } from '../../memory/memory.ts';
import { mbuf } from '../../memory/mbuf.ts';
import { nextRecord } from '../../memory/queue.ts';
import { IFF } from '../../runtime/messages/control.ts';
import { raise } from '../../runtime/source.ts';
import { ETHER_ADDRESS, sameMac } from '../ethernet.ts';
import { ifnets } from '../ifnet.ts';
import { stackStruct, stacks, sysctlValue } from '../stack.ts';
import { SYSCTL } from '../sysctl.ts';
import { OUTBOUND } from '../tap.ts';
import { BPFD_LOCK, bpfds } from './descriptor.ts';
import type { Bpfd } from './descriptor.ts';
import { compiledFilter } from './engine.ts';
import { lacksHeader, withHeader, withoutHeader } from './link-header.ts';
import { DLT_EN10MB } from './link-type.ts';
import { BPF_BATCH, describePacket, packetOf, resultOf } from './packet-batch.ts';
import { catchPacket } from './record.ts';

const BPF_DUE = stackStruct.offsets.bpfDue;

/** A card that is not promiscuous leaves frames for others on the wire. */
function isForOthers(d: Bpfd, m: number): boolean {
  const ifp = ifnets.get(d.interface);
  if (d.dlt !== DLT_EN10MB || (ifp.flags & IFF.PROMISC) !== 0) return false;
  const { data, len } = mbuf(m);
  return len >= ETHER_ADDRESS && (u8[data]! & 1) === 0 && !sameMac(data, ifp.mac);
}

/** True if the descriptor is to see a packet at all. */
function sees(d: Bpfd, m: number, direction: number): boolean {
  return direction === OUTBOUND ? d.seesSent !== 0 : !isForOthers(d, m);
}

/** Runs the filter on the packets of the batch and copies those that it takes; says whether the reader is to be told. */
function takeBatch(d: Bpfd, count: number, time: number): boolean {
  if (d.program !== 0) compiledFilter(d.program, sysctlValue(d.stack, SYSCTL.bpfEngine))(count);
  let wake = false;
  d.received += count;
  for (let i = 0; i < count; i++) {
    const keep = d.program === 0 ? 0xffff_ffff : resultOf(i);
    if (keep === 0) continue;
    d.captured++;
    if (catchPacket(d, packetOf(i), keep, time)) wake = true;
  }
  return wake;
}

/** Shows the descriptor packets of a list from `first` on, a batch of them; returns the first that it has not seen yet. With the lock held. */
function showBatch(d: Bpfd, first: number, direction: number, time: number): number {
  const needsHeader = lacksHeader(d.dlt);
  let count = 0;
  let m = first;
  for (; m !== 0 && count < BPF_BATCH; m = nextRecord(m)) {
    if (!sees(d, m, direction)) continue;
    const shown = needsHeader ? withHeader(m, d.dlt, direction) : m;
    if (shown === 0) d.dropped++;
    else describePacket(count++, shown);
  }
  if (count > 0 && takeBatch(d, count, time)) d.wake = 1;
  if (needsHeader) for (let i = 0; i < count; i++) withoutHeader(packetOf(i));
  return m;
}

/** Has the stack context look at who waits for the descriptor. */
function tellReader(d: Bpfd): void {
  Atomics.store(u32, (d.stack + BPF_DUE) >>> 2, 1);
  raise(stacks.get(d.stack).source);
}

/**
 * Shows a descriptor the packets that are linked by nextpkt from `first` on.
 * @param direction INBOUND or OUTBOUND
 * @param time when they pass, ns of the lab's clock
 */
export function bpfTap(ptr: number, first: number, direction: number, time: number): void {
  const d = bpfds.get(ptr);
  lock(ptr + BPFD_LOCK);
  // It may have been closed since this thread found it at the interface.
  for (let m = first; m !== 0 && d.interface !== 0;) m = showBatch(d, m, direction, time);
  const wake = d.wake !== 0;
  unlock(ptr + BPFD_LOCK);
  if (wake) tellReader(d);
}
