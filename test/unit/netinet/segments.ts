// A host under test and a peer made by hand, in virtual time: segments are injected and those that the host sends are expected, one by one (after packetdrill).
import { expect } from 'vitest';
import { pseudoSum, putChecksum, sumBytes } from '../../../stack/memory/checksum.ts';
import { f64, putBe16, putBe32, region, u8 } from '../../../stack/memory/memory.ts';
import { mFree, mbuf, ownerTag } from '../../../stack/memory/mbuf.ts';
import { mFromBytes, mToBytes } from '../../../stack/memory/mbuf-chain.ts';
import { dequeueAll, nextRecord } from '../../../stack/memory/queue.ts';
import { jumpTo, now, refreshNow, startClock } from '../../../stack/runtime/clock.ts';
import { IFF } from '../../../stack/runtime/messages/control.ts';
import { IPPROTO_TCP, SOCK_STREAM } from '../../../stack/runtime/messages/request.ts';
import { calloutArg, calloutHandler, wheelNext, wheelTake } from '../../../stack/runtime/wheel.ts';
import { runCallout } from '../../../stack/net/callouts.ts';
import {
  IFT_ETHER,
  ifAttach,
  ifnets,
  registerDriver,
  sendQueue,
  startPending,
} from '../../../stack/net/ifnet.ts';
import type { Ifnet } from '../../../stack/net/ifnet.ts';
import { protocolOf } from '../../../stack/net/protosw.ts';
import { rcvTakeStream, sndAppend } from '../../../stack/net/sockbuf.ts';
import {
  SS_NOFDREF,
  soAccept,
  soCantSendMore,
  soCreate,
  soFree,
  sockets,
} from '../../../stack/net/socket.ts';
import type { Socket } from '../../../stack/net/socket.ts';
import { VARIANT, stackParts, stackStruct, stacks } from '../../../stack/net/stack.ts';
import { STAT } from '../../../stack/net/statistics.ts';
import type { StatName } from '../../../stack/net/statistics.ts';
import { getSysctl, setSysctl } from '../../../stack/net/sysctl.ts';
import { createInstance, destroyInstance } from '../../../stack/io-pkt/instance.ts';
import { installArp, setNeighbour } from '../../../stack/netinet/arp.ts';
import { setAddress } from '../../../stack/netinet/in-control.ts';
import { installIp, ipInput } from '../../../stack/netinet/ip-input.ts';
import { transportControl } from '../../../stack/netinet/protocols.ts';
import type { ControlEvent } from '../../../stack/netinet/protocols.ts';
import { installTcp } from '../../../stack/netinet/tcp.ts';

export const HOST = 0x0a000001;
export const PEER = 0x0a000002;
const NETMASK = 0xffffff00;
const TEST_DRIVER = 15;
const OWNER = ownerTag('test');
const MS = 1e6;
const scratch = region('test segments', 4096);

const FLAG_BITS = { F: 1, S: 2, R: 4, P: 8, '.': 16, U: 32 } as const;
type FlagName = keyof typeof FLAG_BITS;

/** A segment as a test writes it: flags as tcpdump prints them ('S', 'S.', '.', 'P.', 'F.', 'R', 'R.'). */
export interface Segment {
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  /** As in the header. */
  readonly win?: number;
  readonly data?: Uint8Array | string;
  readonly mss?: number;
  readonly scale?: number;
  readonly ts?: readonly [number, number];
  /** Damage it after the checksum was made. */
  readonly corrupt?: boolean;
}

/** A segment that the host sent, read by a parser of the test's own. */
export interface SentSegment {
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly win: number;
  readonly data: Uint8Array;
  readonly length: number;
  readonly mss: number | undefined;
  readonly scale: number | undefined;
  readonly ts: readonly [number, number] | undefined;
  readonly sport: number;
  readonly dport: number;
  readonly ttl: number;
  readonly tos: number;
  /** Lab time at which it left, ms. */
  readonly at: number;
}

const wire: Uint8Array[] = [];
const times: number[] = [];

registerDriver(TEST_DRIVER, {
  name: 'test',
  description: 'keeps what is sent',
  init: () => 0,
  stop: () => undefined,
  start(ifp: Ifnet) {
    for (let m = dequeueAll(sendQueue(ifp)); m !== 0;) {
      const next = nextRecord(m);
      const bytes = new Uint8Array(mbuf(m).pktLen);
      mToBytes(m, bytes, bytes.length);
      wire.push(bytes);
      times.push(now() / MS);
      mFree(m);
      m = next;
    }
  },
  ioctl: () => 0,
  process: () => true,
  enable: () => false,
  detach: () => undefined,
  carrier: () => true,
  statistics: () => ({}),
  configuration: () => ({}),
});

function parseOptions(bytes: DataView, from: number, to: number): Pick<SentSegment, 'mss' | 'scale' | 'ts'> {
  const found: { mss: number | undefined; scale: number | undefined; ts: [number, number] | undefined } = {
    mss: undefined,
    scale: undefined,
    ts: undefined,
  };
  for (let at = from; at < to;) {
    const kind = bytes.getUint8(at);
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    if (kind === 2) found.mss = bytes.getUint16(at + 2);
    if (kind === 3) found.scale = bytes.getUint8(at + 2);
    if (kind === 8) found.ts = [bytes.getUint32(at + 2), bytes.getUint32(at + 6)];
    at += bytes.getUint8(at + 1);
  }
  return found;
}

/** Reads a frame; checks both checksums as any receiver would. */
function parse(frame: Uint8Array, at: number): SentSegment {
  const ip = frame.subarray(14);
  const view = new DataView(ip.buffer, ip.byteOffset, ip.byteLength);
  expect(view.getUint16(2)).toBe(ip.length);
  const tcp = ip.subarray(20);
  u8.set(ip, scratch);
  expect(sumBytes(scratch, 20), 'IP checksum').toBe(0xffff);
  const pseudo = pseudoSum(scratch + 12, IPPROTO_TCP, tcp.length);
  const sum = pseudo + sumBytes(scratch + 20, tcp.length);
  expect((sum & 0xffff) + (sum >>> 16), 'TCP checksum').toBe(0xffff);
  const header = (view.getUint8(32) >>> 4) << 2;
  const bits = view.getUint8(33);
  const flags = (['F', 'S', 'R', 'P', 'U', '.'] as FlagName[]).filter(
    (flag) => (bits & FLAG_BITS[flag]) !== 0,
  );
  const data = tcp.slice(header);
  return {
    flags: flags.join(''),
    seq: view.getInt32(24),
    ack: view.getInt32(28),
    win: view.getUint16(34),
    data,
    length: data.length,
    ...parseOptions(view, 40, 20 + header),
    sport: view.getUint16(20),
    dport: view.getUint16(22),
    ttl: view.getUint8(8),
    tos: view.getUint8(1),
    at,
  };
}

/** Writes a TCP segment with its IP header and the options in the order of RFC 7323 appendix A. */
function build(segment: Segment, sport: number, dport: number): Uint8Array {
  const data = typeof segment.data === 'string' ? new TextEncoder().encode(segment.data) : segment.data;
  const options: number[] = [];
  if (segment.mss !== undefined) options.push(2, 4, segment.mss >>> 8, segment.mss & 255);
  if (segment.ts !== undefined) {
    options.push(1, 1, 8, 10);
    for (const value of segment.ts)
      options.push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  }
  if (segment.scale !== undefined) options.push(1, 3, 3, segment.scale);
  const header = 20 + options.length;
  const total = 20 + header + (data?.length ?? 0);
  const p = scratch;
  u8.fill(0, p, p + 20 + header);
  u8[p] = 0x45;
  putBe16(p + 2, total);
  u8[p + 8] = 64;
  u8[p + 9] = IPPROTO_TCP;
  putBe32(p + 12, PEER);
  putBe32(p + 16, HOST);
  putChecksum(p + 10, sumBytes(p, 20));
  const t = p + 20;
  putBe16(t, sport);
  putBe16(t + 2, dport);
  putBe32(t + 4, segment.seq ?? 0);
  putBe32(t + 8, segment.ack ?? 0);
  u8[t + 12] = header << 2;
  u8[t + 13] = [...segment.flags].reduce((bits, flag) => bits | FLAG_BITS[flag as FlagName], 0);
  putBe16(t + 14, segment.win ?? 65_535);
  u8.set(options, t + 20);
  if (data !== undefined) u8.set(data, t + header);
  const sum = pseudoSum(p + 12, IPPROTO_TCP, total - 20) + sumBytes(t, total - 20);
  putChecksum(t + 16, (sum & 0xffff) + (sum >>> 16));
  if (segment.corrupt === true) u8[t + 7]! ^= 1;
  return u8.slice(p, p + total);
}

/** Bytes that differ from place to place. */
export function pattern(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => ((from + i) * 7 + ((from + i) >>> 8)) & 255);
}

export class Host {
  readonly stack: number;
  readonly ifp: Ifnet;
  /** Ports of the connection that inject() and so on speak of. */
  peerPort = 40_000;
  hostPort = 80;

  constructor() {
    startClock('virtual', 1);
    refreshNow();
    installArp();
    installIp();
    installTcp();
    wire.length = 0;
    times.length = 0;
    this.stack = createInstance({ node: 'host', instance: 0, variant: VARIANT.v4hc, home: 0 });
    const stack = stacks.get(this.stack);
    const ptr = ifAttach(stack, {
      name: 'en0',
      type: IFT_ETHER,
      driver: TEST_DRIVER,
      flags: IFF.UP | IFF.RUNNING | IFF.BROADCAST,
      mtu: 1500,
      mtuMax: 9000,
    });
    this.ifp = ifnets.get(ptr);
    setAddress(this.ifp, { address: HOST, netmask: NETMASK, broadcast: 0x0a0000ff, alias: false });
    ifnets.get(stack.loopback).flags |= IFF.UP | IFF.RUNNING;
    putBe32(scratch, 0x02000000);
    putBe16(scratch + 4, 2);
    setNeighbour(stack, this.ifp, PEER, scratch, true, false);
    startPending();
    wire.length = 0;
    times.length = 0;
  }

  /** Ends the host; all its buffers must be free afterwards. */
  stop(): void {
    startPending();
    destroyInstance(this.stack);
  }

  sysctl(name: string, value: number): void {
    const place = this.stack + stackStruct.offsets.sysctl;
    expect(getSysctl(place, name)).toBeDefined();
    setSysctl(place, name, String(value));
  }

  statistic(name: StatName): number {
    return f64[(this.stack + stackStruct.offsets.statistics + STAT[name]) >>> 3]!;
  }

  /** A new socket, as a client's socket() makes it. */
  socket(): Socket {
    const so = sockets.get(soCreate(this.stack, SOCK_STREAM, IPPROTO_TCP));
    expect(protocolOf(so).attach(so, IPPROTO_TCP)).toBe(0);
    return so;
  }

  listener(port = 80, backlog = 5): Socket {
    const so = this.socket();
    expect(protocolOf(so).bind(so, 0, port)).toBe(0);
    expect(protocolOf(so).listen(so)).toBe(0);
    so.options |= 2;
    so.backlog = backlog;
    return so;
  }

  accept(head: Socket): Socket {
    const ptr = soAccept(head);
    expect(ptr, 'a connection to accept').not.toBe(0);
    return sockets.get(ptr);
  }

  write(so: Socket, data: Uint8Array | string): number {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    sndAppend(so, mFromBytes(OWNER, bytes, 0), bytes.length);
    const status = protocolOf(so).send!(so);
    this.pump();
    return status;
  }

  /** Reads what is there, at most `most` bytes. */
  read(so: Socket, most = Infinity): Uint8Array {
    const bytes = new Uint8Array(Math.min(so.rcvCount, most));
    if (bytes.length === 0) return bytes;
    const chain = rcvTakeStream(so, bytes.length);
    mToBytes(chain, bytes, bytes.length);
    mFree(chain);
    protocolOf(so).received(so);
    this.pump();
    return bytes;
  }

  shutdown(so: Socket): void {
    soCantSendMore(so);
    protocolOf(so).shutdown(so);
    this.pump();
  }

  close(so: Socket): void {
    while (so.ready !== 0) {
      const waiting = sockets.get(soAccept(so));
      waiting.state |= SS_NOFDREF;
      protocolOf(waiting).abort(waiting);
    }
    so.state |= SS_NOFDREF;
    if (so.pcb === 0) soFree(so);
    else protocolOf(so).detach(so);
    this.pump();
  }

  state(so: Socket): string {
    return protocolOf(so).state!(so);
  }

  inject(segment: Segment): void {
    const bytes = build(segment, this.peerPort, this.hostPort);
    const m = mFromBytes(OWNER, bytes, 2);
    mbuf(m).rcvif = this.ifp.ptr;
    ipInput(this.stack, m);
    this.pump();
  }

  /** An ICMP error about a segment of the connection. */
  icmp(event: ControlEvent, seq: number, mtu = 0, length = 1500): void {
    u8.fill(0, scratch, scratch + 28);
    u8[scratch] = 0x45;
    putBe16(scratch + 2, length);
    putBe32(scratch + 12, HOST);
    putBe32(scratch + 16, PEER);
    putBe16(scratch + 20, this.hostPort);
    putBe16(scratch + 22, this.peerPort);
    putBe32(scratch + 24, seq);
    transportControl(IPPROTO_TCP)!(this.stack, event, scratch, mtu);
    this.pump();
  }

  /** Lets packets to itself arrive and the driver send. */
  pump(): void {
    const { input } = stackParts(this.stack);
    for (let m = dequeueAll(input); m !== 0;) {
      const next = nextRecord(m);
      mbuf(m).nextpkt = 0;
      ipInput(this.stack, m);
      m = next === 0 ? dequeueAll(input) : next;
    }
    startPending();
  }

  /** Lets time pass, with all timers that fall due. */
  advance(ms: number): void {
    const until = now() + ms * MS;
    const { wheel } = stackParts(this.stack);
    while (wheelNext(wheel) <= until) {
      jumpTo(wheelNext(wheel));
      refreshNow();
      for (let c = wheelTake(wheel, now()); c !== 0; c = wheelTake(wheel, now())) {
        runCallout(calloutHandler(c), calloutArg(c));
        this.pump();
      }
    }
    jumpTo(until);
    refreshNow();
  }

  /** The next segment that the host sent; fails if there is none. */
  next(): SentSegment {
    const frame = wire.shift();
    const at = times.shift();
    expect(frame, 'a segment from the host').toBeDefined();
    return parse(frame!, at!);
  }

  /** The next segment, which must have these properties. */
  expect(fields: Partial<Omit<SentSegment, 'data'>> & { data?: string }): SentSegment {
    const segment = this.next();
    const { data, ...rest } = fields;
    expect(segment).toMatchObject(rest);
    if (data !== undefined) expect(new TextDecoder().decode(segment.data)).toBe(data);
    return segment;
  }

  /** All segments that the host has sent and nobody looked at. */
  all(): SentSegment[] {
    const list: SentSegment[] = [];
    while (wire.length > 0) list.push(this.next());
    return list;
  }

  quiet(): void {
    expect(this.all()).toEqual([]);
  }

  /**
   * A connection that the peer opened: its first byte has sequence number `seq`, the host's first has `ack`. The peer has no options unless they are given.
   */
  established(
    syn: Partial<Segment> = {},
    prepare: (listener: Socket) => void = () => undefined,
  ): { so: Socket; listener: Socket; seq: number; ack: number } {
    const listener = this.listener(this.hostPort);
    prepare(listener);
    this.inject({ flags: 'S', seq: 1000, mss: 1460, ...syn });
    const answer = this.expect({ flags: 'S.', ack: 1001 });
    const ack = (answer.seq + 1) | 0;
    this.inject({
      flags: '.',
      seq: 1001,
      ack,
      ...(syn.win !== undefined && { win: syn.win }),
      ...(syn.ts !== undefined && { ts: [syn.ts[0], answer.ts![0]] }),
    });
    return { so: this.accept(listener), listener, seq: 1001, ack };
  }
}
