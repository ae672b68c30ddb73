// A firewall between two hands: node `fw` has en0 (10.0.0.1/24), where the inside host 10.0.0.2 is, and en1 (192.0.2.1/24), where the outside host 192.0.2.2 is. Both hosts are ours:
// packets are sent and expected one by one, in virtual time. Rules are loaded as pfctl does it.
import { afterEach, beforeEach, expect } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { parsePfConf } from '../../../stack/filter/pf/parse.ts';
import type { PfEnvironment } from '../../../stack/filter/pf/environment.ts';
import type { PfControl, PfControlIn, PfControlOut, PfRuleInfo } from '../../../stack/filter/pf/ioctl.ts';
import { loadRuleSet } from '../../../stack/filter/pf/load.ts';
import type { PfGeneration, PfPart } from '../../../stack/filter/pf/ruleset.ts';
import { control } from '../../../stack/kernel/stack-client.ts';
import {
  ETHERTYPE,
  PROTOCOL,
  Peer,
  arp,
  checksum,
  ether,
  icmp,
  ipBytes,
  ipv4,
  parseIp,
  pass,
  udp,
} from '../../support/frames.ts';
import type { Ipv4Fields, Parsed, ParsedIp } from '../../support/frames.ts';
import { labFrom, nodeOf, run, stopLab, succeed } from '../../support/lab.ts';

const LAB = `
name: firewall
nodes:
  fw:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1, en2]
    startup: [ifconfig en0 10.0.0.1/24 up, ifconfig en1 192.0.2.1/24 up, ifconfig en2 198.51.100.1/24 up]
  inside: { stack: io-pkt-v4, interfaces: [en0] }
  outside: { stack: io-pkt-v4, interfaces: [en0] }
  side: { stack: io-pkt-v4, interfaces: [en0] }
links:
  lan: { between: [fw:en0, inside:en0] }
  wan: { between: [fw:en1, outside:en0] }
  dmz: { between: [fw:en2, side:en0] }
`;
export const INSIDE = '10.0.0.2';
export const OUTSIDE = '192.0.2.2';
export const SIDE = '198.51.100.2';
export const FW_IN = '10.0.0.1';
export const FW_OUT = '192.0.2.1';
export const SECOND = 1e9;
const MODULE = 'lsm-pf-v4';

/** A host at the end of a cable of the firewall. */
export class Host {
  readonly mac: string;
  readonly fwMac: string;
  readonly #peer: Peer;

  constructor(peer: Peer, number: number) {
    this.#peer = peer;
    this.mac = `02:00:00:00:00:9${number}`;
    this.fwMac = `02:00:00:00:00:0${number}`;
  }

  /** The firewall learns our address. */
  introduce(address: string, firewall: string): void {
    const fields = { op: 'request', senderMac: this.mac, sender: address, target: firewall } as const;
    this.#peer.send(ether('ff:ff:ff:ff:ff:ff', this.mac, ETHERTYPE.arp, arp(fields)));
  }

  send(...packets: readonly Buffer[]): void {
    this.#peer.send(...packets.map((packet) => ether(this.fwMac, this.mac, ETHERTYPE.ip, packet)));
  }

  /** IPv4 packets that came since the last call; their header checksums, and those of TCP, UDP and ICMP, are good. */
  take(): ParsedIp[] {
    return this.#peer.takeParsed().flatMap(({ ip }: Parsed) => (ip === undefined ? [] : [checked(ip)]));
  }

  /** IPv4 packets that came since the last call as they came: whatever they are. */
  takeRaw(): Buffer[] {
    return this.#peer
      .take()
      .flatMap((frame) => (frame.readUInt16BE(12) === ETHERTYPE.ip ? [frame.subarray(14)] : []));
  }

  leave(): void {
    this.#peer.leave();
  }
}

function checked(ip: ParsedIp): ParsedIp {
  expect(ip.checksumGood).toBe(true);
  if (ip.offset === 0 && !ip.more) expect(transportGood(ip)).toBe(true);
  return ip;
}

function transportGood({ protocol, payload, source, destination }: ParsedIp): boolean {
  if (protocol === PROTOCOL.icmp) return checksum(payload) === 0;
  if (protocol !== PROTOCOL.tcp && protocol !== PROTOCOL.udp) return true;
  if (protocol === PROTOCOL.udp && payload.readUInt16BE(6) === 0) return true;
  const length = Buffer.from([0, protocol, payload.length >>> 8, payload.length & 255]);
  return checksum(Buffer.concat([ipBytes(source), ipBytes(destination), length, payload])) === 0;
}

export let lab: RunningLab;
export let inside: Host;
export let outside: Host;
export let side: Host;

/** Gives every test of a file a firewall of its own, with PF mounted and enabled and no rules. */
export function useFirewall(): void {
  beforeEach(async () => {
    lab = await labFrom(LAB);
    inside = new Host(await Peer.at(lab, 'inside', 'lan', 1), 0);
    outside = new Host(await Peer.at(lab, 'outside', 'wan', 1), 1);
    side = new Host(await Peer.at(lab, 'side', 'dmz', 1), 2);
    inside.introduce(INSIDE, FW_IN);
    outside.introduce(OUTSIDE, FW_OUT);
    side.introduce(SIDE, '198.51.100.1');
    await succeed(lab, 'fw', `mount -T io-pkt ${MODULE}.so`);
    await ioctl('DIOCSTART', {});
    await pass(1000);
    [inside, outside, side].forEach((host) => host.take());
  });
  afterEach(async () => {
    [inside, outside, side].forEach((host) => host.leave());
    await stopLab(lab);
  });
}

/** A call at /dev/pf of the firewall. */
export async function ioctl<N extends PfControl>(command: N, data: PfControlIn<N>): Promise<PfControlOut<N>> {
  const { address } = nodeOf(lab, 'fw').stacks.get('')!;
  const { reply } = await control(address, 'MODULE_CONTROL', { file: MODULE, command, data });
  return reply as PfControlOut<N>;
}

const SERVICES = new Map([
  ['ssh', 22],
  ['smtp', 25],
  ['domain', 53],
  ['www', 80],
  ['https', 443],
]);
const PROTOCOLS = new Map([
  ['icmp', 1],
  ['igmp', 2],
  ['tcp', 6],
  ['udp', 17],
  ['gre', 47],
]);

const network = (address: string, broadcast: string) =>
  ({ af: 'inet', address, length: 24, broadcast }) as const;
const environment: PfEnvironment = {
  interfaces: [
    { name: 'lo0', loopback: true, addresses: [{ af: 'inet', address: '127.0.0.1', length: 8 }] },
    { name: 'en0', groups: ['en'], addresses: [network('10.0.0.1', '10.0.0.255')] },
    { name: 'en1', groups: ['en'], addresses: [network('192.0.2.1', '192.0.2.255')] },
    { name: 'en2', groups: ['en'], addresses: [network('198.51.100.1', '198.51.100.255')] },
  ],
  servicePort: (name) => SERVICES.get(name),
  serviceName: () => undefined,
  protocolNumber: (name) => PROTOCOLS.get(name),
  protocolName: () => undefined,
  userId: (name) => (name === 'root' ? 0 : undefined),
  groupId: (name) => (name === 'wheel' ? 0 : undefined),
  hostAddresses: () => [],
};

/** Loads a pf.conf into the firewall, or into an anchor of it: rules, tables, options. */
export async function load(text: string, generation: PfGeneration = '3.7', into = ''): Promise<void> {
  const parsed = parsePfConf(text, environment, { generation });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  await loadRuleSet(parsed.ruleSet, ioctl, { anchor: into });
}

/** The rules of a list with their counters. */
export async function rules(part: PfPart = 'filter', anchor = ''): Promise<readonly PfRuleInfo[]> {
  return (await ioctl('DIOCGETRULES', { anchor, part, first: 0, count: 1000 })).rules;
}

/** States as `protocol lan gateway external STATE`, in the order in which they were made. */
export async function states(): Promise<string[]> {
  const { states: list } = await ioctl('DIOCGETSTATES', { count: 1000 });
  const end = ({ address, port }: { address: string; port: number }): string => `${address}:${port}`;
  return list.map(
    ({ protocol, direction, lan, gateway, external, state }) =>
      `${protocol} ${direction} ${end(lan)} ${end(gateway)} ${end(external)} ${state}`,
  );
}

export const FLAG = { F: 1, S: 2, R: 4, P: 8, '.': 16, U: 32, E: 64, C: 128 } as const;

export interface TcpFields {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly port: number;
  /** As tcpdump prints them: `S`, `S.`, `.`, `P.`, `F.`, `R`. */
  readonly flags: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly window?: number;
  readonly options?: readonly number[];
  readonly payload?: Uint8Array;
}

/** An IPv4 packet with a TCP segment. */
export function tcp(fields: TcpFields, ip: Partial<Ipv4Fields> = {}): Buffer {
  const { source, destination, options = [], payload = Buffer.alloc(0) } = fields;
  const header = 20 + options.length;
  const segment = Buffer.alloc(header + payload.length);
  segment.writeUInt16BE(fields.sourcePort, 0);
  segment.writeUInt16BE(fields.port, 2);
  segment.writeUInt32BE((fields.seq ?? 0) >>> 0, 4);
  segment.writeUInt32BE((fields.ack ?? 0) >>> 0, 8);
  segment[12] = (header / 4) << 4;
  segment[13] = [...fields.flags].reduce((bits, flag) => bits | FLAG[flag as keyof typeof FLAG], 0);
  segment.writeUInt16BE(fields.window ?? 65_535, 14);
  Buffer.from(options).copy(segment, 20);
  Buffer.from(payload).copy(segment, header);
  const length = Buffer.from([0, PROTOCOL.tcp, segment.length >>> 8, segment.length & 255]);
  segment.writeUInt16BE(
    checksum(Buffer.concat([ipBytes(source), ipBytes(destination), length, segment])),
    16,
  );
  return ipv4({ source, destination, protocol: PROTOCOL.tcp, payload: segment, ...ip });
}

/** What a TCP segment says. */
export interface Segment {
  readonly sourcePort: number;
  readonly port: number;
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly window: number;
  readonly options: Buffer;
  readonly data: Buffer;
}

export function segment({ payload }: ParsedIp): Segment {
  const header = (payload[12]! >>> 4) * 4;
  return {
    sourcePort: payload.readUInt16BE(0),
    port: payload.readUInt16BE(2),
    flags: Object.entries(FLAG)
      .filter(([, bit]) => (payload[13]! & bit) !== 0)
      .map(([name]) => name)
      .join(''),
    seq: payload.readUInt32BE(4),
    ack: payload.readUInt32BE(8),
    window: payload.readUInt16BE(14),
    options: payload.subarray(20, header),
    data: payload.subarray(header),
  };
}

/** An IPv4 packet with a datagram. */
export function datagram(
  source: string,
  sourcePort: number,
  destination: string,
  port: number,
  ip: Partial<Ipv4Fields> = {},
): Buffer {
  const payload = udp({ source, destination, sourcePort, port, payload: Buffer.from('hello') });
  return ipv4({ source, destination, protocol: PROTOCOL.udp, payload, ...ip });
}

/** An IPv4 packet with an echo request (type 8) or reply (0). */
export function echo(source: string, destination: string, type: 0 | 8, id: number, sequence = 1): Buffer {
  const payload = icmp(type, 0, ((id << 16) | sequence) >>> 0, Buffer.from('abcdefgh'));
  return ipv4({ source, destination, protocol: PROTOCOL.icmp, payload });
}

/** Sends a packet from one host; true if it, or what it was made, arrives at another. */
export async function passes(from: Host, packet: Buffer, to: Host): Promise<boolean> {
  return (await through(from, packet, to)) !== undefined;
}

/** Sends a packet from one host; what arrives at another first. */
export async function through(from: Host, packet: Buffer, to: Host): Promise<ParsedIp | undefined> {
  to.take();
  from.send(packet);
  await pass(1e6);
  return to.take()[0];
}

export { parseIp, pass, run };
