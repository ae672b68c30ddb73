// Hostile traffic through a firewall that does everything PF can do: packets that are almost right, answers to what it lets pass, fragments and errors that quote, all from one seed.
import { expect } from 'vitest';
import { slabReports } from '../../../stack/memory/slab.ts';
import { seededRandom } from '../../support/bpf-packets.ts';
import type { Random } from '../../support/bpf-packets.ts';
import { PROTOCOL, checksum, icmp, ipv4 } from '../../support/frames.ts';
import { nodeOf } from '../../support/lab.ts';
import { startCommand } from '../socket/programs.ts';
import { connect, sideOf } from './connection.ts';
import {
  INSIDE,
  OUTSIDE,
  SECOND,
  SIDE,
  inside,
  ioctl,
  lab,
  load,
  outside,
  pass,
  side,
  tcp,
} from './firewall.ts';
import type { Host } from './firewall.ts';

/** Rule sets that have every feature in them; fragments are treated differently in each. */
const RULES = ['reassemble', 'crop', 'drop-ovl'].map(
  (fragment) => `set limit { states 3000, frags 300, src-nodes 500 }
set timeout { interval 1, frag 5, tcp.first 5, udp.first 5, icmp.first 5, other.first 5 }
table <bad> persist
table <few> { 10.0.0.0/28, !10.0.0.5, 192.0.2.0/24 }
scrub in on en0 all no-df random-id min-ttl 3 max-mss 1000 fragment ${fragment}
scrub on en1 all reassemble tcp fragment ${fragment}
altq on en1 cbq bandwidth 100Mb queue { a b }
queue a bandwidth 50% cbq(default borrow red)
queue b bandwidth 50% priority 7 cbq(borrow ecn)
no nat on en1 proto udp from any to any port 7
nat on en1 inet from 10.0.0.0/24 to any -> { 192.0.2.10, 192.0.2.11 } round-robin sticky-address
nat on en2 inet from any to any -> 198.51.100.0/24 source-hash
binat on en1 inet from 10.0.0.9 to any -> 192.0.2.9
rdr on en1 inet proto { tcp, udp } from any to 192.0.2.1 port 1:60 tag IN -> { 10.0.0.2, 10.0.0.3 } port 1:*
rdr pass log on en1 inet proto icmp from any to 192.0.2.1 -> 10.0.0.2
block return log-all all
block return-icmp in quick on en0 from <bad>
antispoof for en2
anchor "x/*" in on en0
pass in log-all on en0 inet proto tcp from <few> flags S/SA modulate state (max 2000, source-track rule, max-src-states 900, max-src-conn-rate 50/1, overload <bad> flush) queue (a, b)
pass in on en0 inet proto tcp to any port 20:40 flags S/SA synproxy state
pass in on en0 inet proto { udp, icmp } all keep state allow-opts label "$srcaddr"
pass in on en0 route-to (en2 ${SIDE}) inet proto udp to port 20:30 keep state
pass in on en0 dup-to (en2 ${SIDE}) inet proto udp to port 31:40
pass in log on en1 reply-to (en1 ${OUTSIDE}) inet proto tcp tagged IN flags S/SA synproxy state
pass in on en1 inet proto udp tagged IN keep state probability 90%
pass in on en0 inet proto tcp os Linux keep state
pass in on en0 inet proto 99 keep state
pass in fragment keep state
block in on en0 inet proto udp user unknown
pass out on { en0, en1, en2 } all keep state queue b
pass out on en1 inet proto tcp all modulate state
`,
);

/** Where packets come from and go to, and the ports that rules name and others. */
const ADDRESSES = [INSIDE, '10.0.0.3', '10.0.0.5', '10.0.0.9', '10.0.0.77', OUTSIDE, '192.0.2.1', '192.0.2.9', '192.0.2.10', SIDE, '224.0.0.5', '255.255.255.255', '127.0.0.1', '0.0.0.0']; // prettier-ignore
const PROTOCOLS = [
  PROTOCOL.tcp,
  PROTOCOL.tcp,
  PROTOCOL.tcp,
  PROTOCOL.udp,
  PROTOCOL.udp,
  PROTOCOL.icmp,
  99,
  47,
];
const FLAGS = ['S', 'S', 'S.', '.', 'P.', 'F.', 'R', 'R.', 'SF', '', 'FPU', 'S.EC'];
const MOST_HEARD = 64;
const BATCH = 100;
const NEAR = 3000;

function bytes(random: Random, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => random(256)));
}

function port(random: Random): number {
  return random(8) === 0 ? random(65_536) : random(64);
}

/** Options of TCP: those that PF reads, of any length, in any order. */
function tcpOptions(random: Random): number[] {
  const all: number[] = [];
  while (random(3) !== 0 && all.length < 30) {
    const kind = [0, 1, 2, 3, 4, 5, 8, random(256)][random(8)]!;
    const length = random(5) === 0 ? random(12) : ([1, 1, 4, 3, 2, 10, 0, 0, 10][kind] ?? 2);
    all.push(kind);
    if (kind > 1) all.push(length, ...bytes(random, Math.max(0, length - 2)));
  }
  while (all.length % 4 !== 0) all.push(random(2));
  return all.slice(0, 40);
}

function ipOptions(random: Random): Buffer {
  switch (random(20)) {
    case 0:
      return bytes(random, 4 * random(11));
    case 1:
      // Router alert, which nobody refuses.
      return Buffer.from([0x94, 4, 0, 0]);
    default:
      return Buffer.alloc(0);
  }
}

/** A packet that a host could send. */
function fresh(random: Random): Buffer {
  const source = ADDRESSES[random(ADDRESSES.length)]!;
  const destination = ADDRESSES[random(ADDRESSES.length)]!;
  const protocol = PROTOCOLS[random(PROTOCOLS.length)]!;
  const isFragment = random(6) === 0;
  const shape = {
    id: random(32),
    ttl: random(6) === 0 ? random(4) : 64,
    tos: random(2) * 0x10,
    df: random(8) === 0,
    more: isFragment && random(2) === 0,
    offset: isFragment ? 8 * random(random(4) === 0 ? 8192 : 60) : 0,
    options: ipOptions(random),
  };
  if (protocol === PROTOCOL.tcp)
    return tcp(
      {
        source,
        destination,
        sourcePort: port(random),
        port: port(random),
        flags: FLAGS[random(FLAGS.length)]!,
        seq: random(0xffff_ffff),
        ack: random(0xffff_ffff),
        window: random(65_536),
        options: tcpOptions(random),
        payload: bytes(random, random(60)),
      },
      shape,
    );
  const payload = bytes(random, random(3) === 0 ? random(1400) : 8 + random(60));
  if (protocol === PROTOCOL.udp && payload.length >= 8) {
    payload.writeUInt16BE(port(random), 0);
    payload.writeUInt16BE(port(random), 2);
    payload.writeUInt16BE(payload.length, 4);
  }
  if (protocol === PROTOCOL.icmp && payload.length > 0)
    payload[0] = [0, 3, 4, 5, 8, 11, 12, 13, 17, 30][random(10)]!;
  return repaired(ipv4({ source, destination, protocol, payload, ...shape }));
}

/** An answer to what the firewall has let pass: with addresses and ports turned round, and numbers near those that are expected. */
function answer(random: Random, heard: Buffer): Buffer {
  const turned = Buffer.from(heard);
  heard.copy(turned, 12, 16, 20);
  heard.copy(turned, 16, 12, 16);
  turned[8] = 64;
  const at = (heard[0]! & 15) * 4;
  const near = (value: number): number => (value + (random(3) === 0 ? random(2 * NEAR) - NEAR : 0)) >>> 0;
  if (heard[9] === PROTOCOL.icmp && heard.length > at) turned[at] = 0;
  if ((heard[9] !== PROTOCOL.tcp && heard[9] !== PROTOCOL.udp) || heard.length < at + 8)
    return repaired(turned);
  heard.copy(turned, at, at + 2, at + 4);
  heard.copy(turned, at + 2, at, at + 2);
  if (heard[9] !== PROTOCOL.tcp || heard.length < at + 20) return repaired(turned);
  turned.writeUInt32BE(near(heard.readUInt32BE(at + 8) || random(0xffff_ffff)), at + 4);
  turned.writeUInt32BE(near(heard.readUInt32BE(at + 4) + 1), at + 8);
  const isSyn = (heard[at + 13]! & 0x12) === 2;
  turned[at + 13] = isSyn && random(4) !== 0 ? 0x12 : [0x10, 0x18, 0x11, 0x04, 0x14, random(256)][random(6)]!;
  return repaired(turned);
}

/** An ICMP error about a packet that has passed, which quotes more or less of it. */
function complaint(random: Random, heard: Buffer): Buffer {
  const quoted = heard.subarray(0, random(3) === 0 ? random(60) : 28);
  const [type, code] = [[3, 3, 11, 12, 4, 5][random(6)]!, random(16)];
  const source = ADDRESSES[random(ADDRESSES.length)]!;
  const destination = [...heard.subarray(12, 16)].join('.');
  return ipv4({
    source,
    destination,
    protocol: PROTOCOL.icmp,
    payload: icmp(type, code, random(2000), quoted),
  });
}

/** The same packet with lengths and checksums that let it get further. */
function repaired(packet: Buffer): Buffer {
  const header = (packet[0]! & 15) * 4;
  if (packet.length < 20 || header < 20 || header > packet.length) return packet;
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(checksum(packet.subarray(0, header)), 10);
  const place = { [PROTOCOL.tcp]: 16, [PROTOCOL.udp]: 6, [PROTOCOL.icmp]: 2 }[packet[9]!];
  if (place === undefined || (packet.readUInt16BE(6) & 0x3fff) !== 0 || packet.length < header + place + 2)
    return packet;
  packet.writeUInt16BE(0, header + place);
  const length = packet.length - header;
  const pseudo =
    packet[9] === PROTOCOL.icmp
      ? []
      : [...packet.subarray(12, 20), 0, packet[9]!, length >>> 8, length & 255];
  packet.writeUInt16BE(
    checksum(Buffer.concat([Buffer.from(pseudo), packet.subarray(header)])),
    header + place,
  );
  return packet;
}

/** A few bytes changed, or its end gone; mostly with sums that are right again. */
function mutated(random: Random, packet: Buffer): Buffer {
  const changed = Buffer.from(packet);
  for (let i = 1 + random(4); i > 0; i--) changed[1 + random(changed.length - 1)] = random(256);
  const cut = random(5) === 0 ? changed.subarray(0, 1 + random(changed.length)) : changed;
  return random(4) === 0 ? cut : repaired(cut);
}

function hostile(random: Random, heard: readonly Buffer[]): Buffer {
  const known = heard[random(heard.length + 1)];
  const kind = random(8);
  if (kind === 0) return bytes(random, 1 + random(200));
  const packet =
    known === undefined || kind < 4
      ? fresh(random)
      : kind === 4
        ? complaint(random, known)
        : answer(random, known);
  return random(3) === 0 ? mutated(random, packet) : packet;
}

/** Records in use of everything that PF makes. */
function held(): Record<string, number> {
  return Object.fromEntries(
    slabReports()
      .filter(({ name }) => /^pf(state|source|fragments|list|anchor|table)/.test(name))
      .map(({ name, inUse }) => [name, inUse]),
  );
}

/** Sends so many packets through the firewall of the test. It must survive, filter as before, and keep nothing. */
export async function attack(count: number, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const hosts = [inside, outside, side];
  const heard: Buffer[] = [];
  await load('pass all\n');
  const before = held();
  const log = startCommand(nodeOf(lab, 'fw'), 'tcpdump -n -e -v -i pflog0 > /dev/null');
  let slowest = 0;
  for (let sent = 0; sent < count; sent += BATCH) {
    if (sent % (count / RULES.length) < BATCH) {
      await load(RULES[Math.floor((sent * RULES.length) / count)]!);
      await load('pass in proto udp to port 41:50\nanchor "/x/*"\n', '3.7', 'x/y');
    }
    hosts.forEach((host: Host) =>
      host.send(...Array.from({ length: BATCH / 4 }, () => hostile(random, heard))),
    );
    inside.send(...Array.from({ length: BATCH / 4 }, () => hostile(random, heard)));
    const begun = performance.now();
    await pass(random(20) === 0 ? 3 * SECOND : 2e6);
    slowest = Math.max(slowest, performance.now() - begun);
    heard.push(...hosts.flatMap((host) => host.takeRaw()));
    heard.splice(0, Math.max(0, heard.length - MOST_HEARD));
  }
  const { insert, reasons } = await ioctl('DIOCGETSTATUS', {});
  // What was meant to happen has happened.
  expect(insert).toBeGreaterThan(count / 100);
  for (const reason of [
    'match',
    'fragment',
    'short',
    'normalize',
    'ip-option',
    'proto-cksum',
    'state-mismatch',
    'synproxy',
  ] as const)
    expect([reason, reasons[reason] > 0]).toEqual([reason, true]);
  expect(slowest).toBeLessThan(2000);
  log.process.kill('SIGINT');
  await log.process.exited;
  await load('', '3.7', 'x/y');
  await load('pass all\n');
  await ioctl('DIOCCLRSTATES', {});
  await ioctl('DIOCCLRSRCNODES', {});
  await ioctl('DIOCRDELTABLES', { anchor: '' });
  // Fragments and whatever else waits for its end.
  await pass(120 * SECOND);
  expect(held()).toEqual(before);
  hosts.forEach((host) => host.takeRaw());
  inside.introduce(INSIDE, '10.0.0.1');
  outside.introduce(OUTSIDE, '192.0.2.1');
  await pass(1e6);
  await connect(sideOf(inside, INSIDE, 40_001, 1), sideOf(outside, OUTSIDE, 50_001, 2));
}
