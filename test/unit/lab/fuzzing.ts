// Hostile traffic for a node: random bytes, and frames that are almost right, from one seed. The node has listeners and a connection to aim at.
import { expect } from 'vitest';
import { ETHERTYPE, PROTOCOL, Peer, arp, ether, icmp, ipv4, pass, udp } from '../../support/frames.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';

const LAB = `
name: fuzz
nodes:
  target:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1]
    startup:
      - ifconfig en0 10.0.0.1/24 up
      - ifconfig en1 10.1.0.1/24 mtu 300 up
      - route add default 10.0.0.250
      - ttcp -r -s &
      - nc -l -k -p 7 > /dev/null &
      - nc -l -u -p 7 > /dev/null &
      - httpd -p 80 &
  attacker: { stack: io-pkt-v4, interfaces: [en0] }
  beyond: { stack: io-pkt-v4, interfaces: [en0], startup: [ifconfig en0 10.1.0.2/24 mtu 300 up] }
links:
  wire: { between: [target:en0, attacker:en0] }
  other: { between: [target:en1, beyond:en0] }
`;
const TARGET_MAC = '02:00:00:00:00:00';
const ATTACKER_MAC = '02:66:66:66:66:66';
const ATTACKER = '10.0.0.66';
const BATCH = 500;

/** Numbers from a seed (Mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
type Random = (below: number) => number;

function bytes(random: Random, count: number): Buffer {
  const made = Buffer.alloc(count);
  for (let i = 0; i < count; i++) made[i] = random(256);
  return made;
}

/** A connection as the target's last segment on it shows it. */
interface Conversation {
  readonly port: number;
  readonly own: number;
  /** What the target expects and what it would have acknowledged. */
  readonly seq: number;
  readonly ack: number;
}
const MOST_CONVERSATIONS = 64;

/** Learns from what the target sends where its connections are, so that segments can be aimed into their windows. */
function listen(conversations: Conversation[], frames: readonly Buffer[]): void {
  for (const frame of frames) {
    if (frame.length < 54 || frame.readUInt16BE(12) !== ETHERTYPE.ip || frame[23] !== PROTOCOL.tcp) continue;
    const at = 14 + ((frame[14]! & 15) << 2);
    if (frame.length < at + 20 || (frame[at + 13]! & 4) !== 0) continue;
    conversations.push({
      port: frame.readUInt16BE(at),
      own: frame.readUInt16BE(at + 2),
      seq: frame.readUInt32BE(at + 8),
      ack: (frame.readUInt32BE(at + 4) + 1) >>> 0,
    });
    if (conversations.length > MOST_CONVERSATIONS) conversations.shift();
  }
}

/** A TCP segment with a right checksum: aimed at a known connection, or at a port. */
function tcp(random: Random, port: number, conversations: readonly Conversation[]): Buffer {
  const options = random(3) === 0 ? bytes(random, 4 * random(11)) : Buffer.alloc(0);
  const aim = random(3) === 0 ? undefined : conversations[random(conversations.length + 1)];
  const near = (value: number): number => (value + (random(3) === 0 ? random(4000) - 2000 : 0)) >>> 0;
  const header = Buffer.alloc(20);
  header.writeUInt16BE(aim?.own ?? 1024 + random(64), 0);
  header.writeUInt16BE(aim?.port ?? port, 2);
  header.writeUInt32BE(aim === undefined ? random(0xffffffff) : near(aim.seq), 4);
  header.writeUInt32BE(aim === undefined ? random(0xffffffff) : near(aim.ack), 8);
  header[12] = ((20 + options.length) / 4) << 4;
  header[13] = [2, 16, 16, 24, 17, random(64)][random(6)]!;
  header.writeUInt16BE(random(65536), 14);
  return withTcpSum(Buffer.concat([header, options, bytes(random, random(200))]));
}

function withTcpSum(segment: Buffer): Buffer {
  const pseudo = Buffer.concat([
    ip(ATTACKER),
    ip('10.0.0.1'),
    Buffer.from([0, PROTOCOL.tcp]),
    Buffer.alloc(2),
  ]);
  pseudo.writeUInt16BE(segment.length, 10);
  const all = Buffer.concat([pseudo, segment, Buffer.alloc(segment.length & 1)]);
  let sum = 0;
  for (let i = 0; i < all.length; i += 2) sum += all.readUInt16BE(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  segment.writeUInt16BE(~sum & 0xffff, 16);
  return segment;
}

function ip(text: string): Buffer {
  return Buffer.from(text.split('.').map(Number));
}

/** Options of an IPv4 header: of any length, or with lengths that are right, so that they get further. */
function options(random: Random): Buffer {
  if (random(2) === 0) return bytes(random, 4 * random(11));
  const parts: Buffer[] = [];
  for (let left = 36; left > 8;) {
    const part = bytes(random, 2 + random(Math.min(left - 2, 10)));
    part[0]! |= 2;
    part[1] = part.length;
    parts.push(part);
    left -= part.length;
  }
  const all = Buffer.concat(parts);
  return Buffer.concat([all, Buffer.alloc(-all.length & 3)]);
}

/** A frame as a peer could send it. */
function valid(random: Random, conversations: readonly Conversation[]): Buffer {
  const frame = (payload: Buffer, type: number = ETHERTYPE.ip): Buffer =>
    ether(random(20) === 0 ? 'ff:ff:ff:ff:ff:ff' : TARGET_MAC, ATTACKER_MAC, type, payload);
  const packet = (protocol: number, payload: Buffer): Buffer =>
    ipv4({
      source: ['10.0.0.1', '172.16.0.1', ATTACKER][Math.min(random(10), 2)]!,
      destination: ['10.0.0.1', '10.0.0.1', '10.1.0.2', '10.0.0.255', '10.9.9.9', '255.255.255.255'][
        random(6)
      ]!,
      protocol,
      payload,
      id: random(64),
      ttl: random(4) === 0 ? random(3) : 64,
      more: random(6) === 0,
      offset: random(6) === 0 ? 8 * random(400) : 0,
      ...(random(8) === 0 && { options: options(random) }),
    });
  const port = [7, 80, 5001, random(65536)][random(4)]!;
  switch (random(6)) {
    case 0: {
      const op = random(2) === 0 ? 'request' : 'reply';
      const sender = random(4) === 0 ? '10.0.0.1' : ATTACKER;
      return frame(arp({ op, senderMac: ATTACKER_MAC, sender, target: '10.0.0.1' }), ETHERTYPE.arp);
    }
    case 1:
      return frame(
        packet(
          PROTOCOL.icmp,
          icmp(
            [0, 3, 5, 8, 11, 12, random(256)][random(7)]!,
            random(16),
            random(65536),
            bytes(random, random(100)),
          ),
        ),
      );
    case 2:
      return frame(
        packet(
          PROTOCOL.udp,
          udp({
            source: ATTACKER,
            destination: '10.0.0.1',
            sourcePort: 1024 + random(8),
            port,
            payload: bytes(random, random(300)),
          }),
        ),
      );
    case 3:
    case 4:
      return frame(packet(PROTOCOL.tcp, tcp(random, port, conversations)));
    default:
      return frame(packet(random(256), bytes(random, random(1400))));
  }
}

/** Changes a few bytes, the length, or puts a piece in twice. */
function mutate(random: Random, frame: Buffer): Buffer {
  const changed = Buffer.from(frame);
  for (let i = random(4); i > 0; i--) changed[14 + random(changed.length - 14)] = random(256);
  const cut = random(changed.length + 1);
  if (random(6) === 0) return changed.subarray(0, cut);
  if (random(12) === 0)
    return Buffer.concat([changed.subarray(0, cut), changed.subarray(Math.max(0, cut - 40))]);
  return changed;
}

function hostile(random: Random, conversations: readonly Conversation[]): Buffer {
  const kind = random(10);
  if (kind === 0) return bytes(random, random(1515));
  const frame = valid(random, conversations);
  return kind < 4 ? frame : mutate(random, frame);
}

/** Sends so many frames to a node. It must survive, answer, and keep no buffer. */
export async function fuzz(frames: number, seed: number): Promise<void> {
  const lab = await labFrom(LAB, { seed });
  const peer = await Peer.at(lab, 'attacker', 'wire', 1);
  const random = generator(seed);
  const conversations: Conversation[] = [];
  try {
    for (let sent = 0; sent < frames; sent += BATCH) {
      peer.send(
        ...Array.from({ length: Math.min(BATCH, frames - sent) }, () => hostile(random, conversations)),
      );
      await pass(random(20) === 0 ? 40e9 : 5e6);
      listen(conversations, peer.take());
    }
    // Everything that timers may still do.
    await pass(700e9);
    await run(lab, 'target', 'arp -d -a');
    const ping = await run(lab, 'beyond', 'ping -c 2 10.1.0.1');
    expect(ping.out).toContain('2 packets received');
    const page = await run(lab, 'beyond', 'http get http://10.1.0.1/');
    expect(page.err).toBe('');
    // It has really been talked to: connections were made, and segments out of order came into their windows.
    const { out } = await run(lab, 'target', 'netstat -s -p tcp');
    for (const what of ['connection accepts', 'out-of-order packets', 'packets received in-sequence']) {
      expect(out).toMatch(new RegExp(`[1-9]\\d* ${what}`));
    }
  } finally {
    peer.leave();
    await stopLab(lab);
  }
}
