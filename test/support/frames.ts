// Frames made by hand, and a peer that sends and receives them at the end of a link of a lab in virtual time.
import { mFree, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { mFromBytes, mToBytes } from '../../stack/memory/mbuf-chain.ts';
import { dequeueAll, enqueue, nextRecord } from '../../stack/memory/queue.ts';
import { plugIn, plugOut, plugs } from '../../stack/net/plug.ts';
import type { Plug } from '../../stack/net/plug.ts';
import { now, refreshNow } from '../../stack/runtime/clock.ts';
import { HANDLER, KIND, freeSource, newSource, raise, setSourceHandler } from '../../stack/runtime/source.ts';
import { sleepNs } from '../../stack/runtime/timers.ts';
import type { RunningLab } from '../../main/lab/lab.ts';
import { nodeOf, run } from './lab.ts';

const OWNER = ownerTag('test');
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const ETHERTYPE = { ip: 0x0800, arp: 0x0806, vlan: 0x8100 } as const;
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const;

/** Bytes of a hardware address. */
export function macBytes(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

/** Bytes of a dotted quad. */
export function ipBytes(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

/** The Internet checksum (RFC 1071) of some bytes, as it is written into a header. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** An Ethernet frame, padded to 60 bytes. */
export function ether(destination: string, source: string, type: number, payload: Uint8Array): Buffer {
  const head = Buffer.concat([
    macBytes(destination),
    macBytes(source),
    Buffer.from([type >>> 8, type & 255]),
  ]);
  const frame = Buffer.concat([head, payload]);
  return frame.length >= 60 ? frame : Buffer.concat([frame, Buffer.alloc(60 - frame.length)]);
}

/** A frame with an IEEE 802.1Q tag put in. */
export function tagged(frame: Uint8Array, vid: number, priority = 0): Buffer {
  const tag = Buffer.from([
    ETHERTYPE.vlan >>> 8,
    ETHERTYPE.vlan & 255,
    (priority << 5) | (vid >>> 8),
    vid & 255,
  ]);
  return Buffer.concat([frame.subarray(0, 12), tag, frame.subarray(12)]);
}

export interface ArpFields {
  readonly op: 'request' | 'reply';
  readonly senderMac: string;
  readonly sender: string;
  readonly targetMac?: string;
  readonly target: string;
}

/** An ARP packet for IPv4 over Ethernet. */
export function arp({ op, senderMac, sender, targetMac = '00:00:00:00:00:00', target }: ArpFields): Buffer {
  return Buffer.concat([
    Buffer.from([0, 1, 8, 0, 6, 4, 0, op === 'request' ? 1 : 2]),
    macBytes(senderMac),
    ipBytes(sender),
    macBytes(targetMac),
    ipBytes(target),
  ]);
}

export interface Ipv4Fields {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly payload: Uint8Array;
  readonly id?: number;
  readonly ttl?: number;
  readonly tos?: number;
  /** Offset of the payload in the datagram, bytes; flags. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly df?: boolean;
  /** A multiple of 4 bytes. */
  readonly options?: Uint8Array;
  /** Flips a bit of the header's checksum. */
  readonly badChecksum?: boolean;
}

/** An IPv4 packet. */
export function ipv4(fields: Ipv4Fields): Buffer {
  const { source, destination, protocol, payload, options = Buffer.alloc(0) } = fields;
  const header = Buffer.alloc(20 + options.length);
  header[0] = 0x40 | (header.length / 4);
  header[1] = fields.tos ?? 0;
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(fields.id ?? 1, 4);
  header.writeUInt16BE(
    ((fields.offset ?? 0) >>> 3) | (fields.more === true ? 0x2000 : 0) | (fields.df === true ? 0x4000 : 0),
    6,
  );
  header[8] = fields.ttl ?? 64;
  header[9] = protocol;
  ipBytes(source).copy(header, 12);
  ipBytes(destination).copy(header, 16);
  Buffer.from(options).copy(header, 20);
  header.writeUInt16BE(checksum(header) ^ (fields.badChecksum === true ? 1 : 0), 10);
  return Buffer.concat([header, payload]);
}

/** An ICMP message; `rest` is the second word of its header. */
export function icmp(
  type: number,
  code: number,
  rest: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0, 0, 0, 0, 0]), payload]);
  message.writeUInt32BE(rest >>> 0, 4);
  message.writeUInt16BE(checksum(message), 2);
  return message;
}

export interface UdpFields {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly port: number;
  readonly payload: Uint8Array;
  /** The checksum to write instead of the right one. */
  readonly checksum?: number;
}

/** A UDP datagram with its header; addresses are those of its pseudo header. */
export function udp(fields: UdpFields): Buffer {
  const length = 8 + fields.payload.length;
  const datagram = Buffer.alloc(length);
  datagram.writeUInt16BE(fields.sourcePort, 0);
  datagram.writeUInt16BE(fields.port, 2);
  datagram.writeUInt16BE(length, 4);
  Buffer.from(fields.payload).copy(datagram, 8);
  const pseudo = Buffer.concat([
    ipBytes(fields.source),
    ipBytes(fields.destination),
    Buffer.from([0, PROTOCOL.udp, length >>> 8, length & 255]),
    datagram,
  ]);
  datagram.writeUInt16BE(fields.checksum ?? (checksum(pseudo) || 0xffff), 6);
  return datagram;
}

/** What a received frame says, as far as these tests ask. */
export interface Parsed {
  readonly destination: string;
  readonly source: string;
  /** Behind a VLAN tag, if there is one. */
  readonly type: number;
  readonly vlan?: { readonly vid: number; readonly priority: number };
  readonly arp?: ArpFields;
  readonly ip?: ParsedIp;
}

export interface ParsedIp {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly ttl: number;
  readonly id: number;
  readonly offset: number;
  readonly more: boolean;
  readonly df: boolean;
  readonly headerLength: number;
  readonly options: Buffer;
  readonly checksumGood: boolean;
  readonly payload: Buffer;
  /** Of an ICMP message. */
  readonly icmp?: { type: number; code: number; rest: number; payload: Buffer; checksumGood: boolean };
  readonly udp?: { sourcePort: number; port: number; checksum: number; payload: Buffer };
}

function macText(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function parseArp(bytes: Buffer): ArpFields {
  return {
    op: bytes[7] === 1 ? 'request' : 'reply',
    senderMac: macText(bytes.subarray(8, 14)),
    sender: bytes.subarray(14, 18).join('.'),
    targetMac: macText(bytes.subarray(18, 24)),
    target: bytes.subarray(24, 28).join('.'),
  };
}

/** Reads an IPv4 packet; padding behind it is left out. */
export function parseIp(bytes: Buffer): ParsedIp {
  const headerLength = (bytes[0]! & 15) * 4;
  const word = bytes.readUInt16BE(6);
  const payload = Buffer.from(bytes.subarray(headerLength, bytes.readUInt16BE(2)));
  const protocol = bytes[9]!;
  const offset = (word & 0x1fff) * 8;
  return {
    source: bytes.subarray(12, 16).join('.'),
    destination: bytes.subarray(16, 20).join('.'),
    protocol,
    ttl: bytes[8]!,
    id: bytes.readUInt16BE(4),
    offset,
    more: (word & 0x2000) !== 0,
    df: (word & 0x4000) !== 0,
    headerLength,
    options: Buffer.from(bytes.subarray(20, headerLength)),
    checksumGood: checksum(bytes.subarray(0, headerLength)) === 0,
    payload,
    ...(protocol === PROTOCOL.icmp && offset === 0 && payload.length >= 8 && { icmp: parseIcmp(payload) }),
    ...(protocol === PROTOCOL.udp &&
      offset === 0 && {
        udp: {
          sourcePort: payload.readUInt16BE(0),
          port: payload.readUInt16BE(2),
          checksum: payload.readUInt16BE(6),
          payload: payload.subarray(8),
        },
      }),
  };
}

function parseIcmp(bytes: Buffer): NonNullable<ParsedIp['icmp']> {
  return {
    type: bytes[0]!,
    code: bytes[1]!,
    rest: bytes.readUInt32BE(4),
    payload: bytes.subarray(8),
    checksumGood: checksum(bytes) === 0,
  };
}

export function parseFrame(frame: Buffer): Parsed {
  const isTagged = frame.readUInt16BE(12) === ETHERTYPE.vlan;
  const header = isTagged ? 18 : 14;
  const type = frame.readUInt16BE(header - 2);
  const tag = isTagged ? frame.readUInt16BE(14) : 0;
  return {
    destination: macText(frame.subarray(0, 6)),
    source: macText(frame.subarray(6, 12)),
    type,
    ...(isTagged && { vlan: { vid: tag & 0xfff, priority: tag >>> 13 } }),
    ...(type === ETHERTYPE.arp && { arp: parseArp(frame.subarray(header)) }),
    ...(type === ETHERTYPE.ip && { ip: parseIp(frame.subarray(header)) }),
  };
}

/** A frame and when it came, ns of the lab's clock. */
export interface Arrival {
  readonly time: number;
  readonly bytes: Buffer;
}

const peers = new Map<number, Peer>();

/** Lets the lab's virtual clock go on by this much: everything that is due until then happens. */
export function pass(ns: number): Promise<void> {
  return sleepNs(ns);
}

/** A hand at one end of a link, in virtual time: it takes the place of a node, whose stack it slays. */
export class Peer {
  readonly arrivals: Arrival[] = [];
  readonly plug: Plug;
  readonly #source: number;

  private constructor(plug: number) {
    this.plug = plugs.get(plug);
    this.#source = newSource({
      kind: KIND.hardware,
      handler: HANDLER.test,
      arg: plug,
      stack: 0,
      home: 0,
      priority: 21,
    });
    this.plug.device = this.#source;
    this.plug.up = 1;
    peers.set(plug, this);
    setSourceHandler(HANDLER.test, (arg) => {
      peers.get(arg)?.receive();
      return true;
    });
  }

  /** Takes the place of `node`, which is at the end number `end` of the link. */
  static async at(lab: RunningLab, node: string, link: string, end: number): Promise<Peer> {
    const { variant } = [...nodeOf(lab, node).stacks.values()][0]!;
    await run(lab, node, `slay ${variant}`);
    await pass(1);
    return new Peer(lab.links.get(link)!.directions[end]!.plug);
  }

  receive(): void {
    for (let m = dequeueAll(plugIn(this.plug)); m !== 0;) {
      const next = nextRecord(m);
      const bytes = Buffer.alloc(mbuf(m).pktLen);
      mToBytes(m, bytes, bytes.length);
      this.arrivals.push({ time: now(), bytes });
      mFree(m);
      m = next;
    }
  }

  /** Puts frames on the link now. */
  send(...frames: readonly Uint8Array[]): void {
    const time = refreshNow();
    for (const frame of frames) {
      const m = mFromBytes(OWNER, frame, 2);
      if (m === 0) throw new Error('no buffers');
      mbuf(m).time = time;
      if (!enqueue(plugOut(this.plug), m)) throw new Error('the plug is full');
    }
    raise(this.plug.link);
  }

  /** The frames that came since the last call. */
  take(): Buffer[] {
    return this.arrivals.splice(0).map(({ bytes }) => bytes);
  }

  /** The same, read. */
  takeParsed(): Parsed[] {
    return this.take().map(parseFrame);
  }

  /** Sends frames, lets time pass, and returns what came. */
  async exchange(frames: readonly Uint8Array[], ns = 1e6): Promise<Parsed[]> {
    this.take();
    this.send(...frames);
    await pass(ns);
    return this.takeParsed();
  }

  /** Leaves the link. */
  leave(): void {
    this.receive();
    peers.delete(this.plug.ptr);
    this.plug.device = 0;
    this.plug.up = 0;
    freeSource(this.#source);
  }
}
