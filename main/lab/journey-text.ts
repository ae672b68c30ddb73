/**
 * What happened to a packet at a station of its journey, in words: for each kind of station its one-word name and a text made of the detail of its entry.
 */
import { errnoName } from '../../stack/runtime/messages/errno.ts';
import { BRIDGE_VERDICT, CONSUMED_ICMP, FOR_ANOTHER, LINK_LOSS, STATION } from '../../stack/net/journey.ts';
import type { JourneyEntry, Station } from '../../stack/net/journey.ts';
import { FLOW_CONDITION, FLOW_CONDITION_BITS, FLOW_PART } from '../../stack/netinet/ip-flow.ts';
import { statisticText } from '../../stack/net/statistics.ts';
import { icmpText } from '../capture/dissect/icmp.ts';
import { etherTypes, ipProtocols } from '../capture/dissect/numbers.ts';
import { filterText } from './filter-station.ts';

/** Names of what an entry speaks of besides its place. */
export interface EntryNames {
  /** True if the entry's place is a stack. */
  readonly atStack: boolean;
  /** Name of the interface with this index, in the stack of the entry's place. */
  interfaceName(index: number): string;
  /** Name of an end of the link that is the entry's place. */
  linkEnd(end: number): string;
}

/** Why a packet did not take the fast path, by condition; and more closely where a condition has parts. */
const FLOW_CONDITIONS: Readonly<Record<number, string>> = {
  [FLOW_CONDITION.forwarding]: 'forwarding is off, or there is no flow at all',
  [FLOW_CONDITION.linkBroadcast]: 'it came as a broadcast or multicast of the link',
  [FLOW_CONDITION.header]: 'its IP header has options, or its lengths are not sound',
  [FLOW_CONDITION.noFlow]: 'no flow for this destination, source and type of service yet',
  [FLOW_CONDITION.checksum]: 'bad header checksum',
  [FLOW_CONDITION.route]: 'the route has changed, or the outgoing interface is down',
  [FLOW_CONDITION.mtu]: 'longer than the MTU of the outgoing interface, so it has to be fragmented',
  [FLOW_CONDITION.ttl]: 'TTL would reach 0',
  [FLOW_CONDITION.filter]: 'a packet filter is active',
};
const FLOW_PARTS: Readonly<Record<number, string>> = {
  [FLOW_PART.forwardingOff]: 'forwarding is off',
  [FLOW_PART.noFlows]: 'no flow at all yet',
  [FLOW_PART.broadcast]: 'it came as a broadcast of the link',
  [FLOW_PART.multicast]: 'it came as a multicast of the link',
  [FLOW_PART.version]: 'it is not IP version 4',
  [FLOW_PART.options]: 'its IP header has options',
  [FLOW_PART.length]: 'its lengths are not sound',
  [FLOW_PART.icmp]: 'no flow for it, and ICMP never makes one',
  [FLOW_PART.routeChanged]: 'the route has changed',
  [FLOW_PART.interfaceDown]: 'the outgoing interface is down, or a member of a bridge',
};

function flowText({ detail }: JourneyEntry): string {
  if (detail === FLOW_CONDITION.hit) return 'hit: forwarded by this thread, outside the stack context';
  const condition = detail & ((1 << FLOW_CONDITION_BITS) - 1);
  const why = FLOW_PARTS[detail >>> FLOW_CONDITION_BITS] ?? FLOW_CONDITIONS[condition];
  return `not taken, condition ${condition}: ${why ?? 'it does not hold'}`;
}

const LOSSES: Readonly<Record<number, string>> = {
  [LINK_LOSS.loss]: 'lost by chance',
  [LINK_LOSS.queue]: 'lost: the queue for the rate is full',
  [LINK_LOSS.mtu]: 'lost: longer than the MTU of the link',
  [LINK_LOSS.noReceiver]: 'lost: nobody at the other end',
  [LINK_LOSS.buffers]: 'lost: no buffer for the damaged copy',
  [LINK_LOSS.receiverDown]: 'lost: the interface at the other end is down',
  [LINK_LOSS.receiverFull]: 'lost: the receive queue at the other end is full',
};

const VERDICTS: Readonly<Record<number, string>> = {
  [BRIDGE_VERDICT.forwarded]: 'forwarded to the port of its destination',
  [BRIDGE_VERDICT.flooded]: 'flooded',
  [BRIDGE_VERDICT.local]: 'for this host',
  [BRIDGE_VERDICT.blocked]: 'blocked: the port does not forward',
  [BRIDGE_VERDICT.dropped]: 'dropped',
};

const protocolName = (protocol: number): string => ipProtocols.get(protocol) ?? `IP protocol ${protocol}`;

/** One text for all packets, or one that depends on the entry. */
type Words = string | ((entry: JourneyEntry, names: EntryNames) => string);

const WORDS: Readonly<Record<Station, Words>> = {
  [STATION.output]: ({ detail }) => `${protocolName(detail)} sent by this host`,
  [STATION.arpHold]: 'waits for the hardware address of its next hop',
  [STATION.sendQueue]: ({ detail }) => (detail === 0 ? 'on the send queue' : `refused: ${errnoName(detail)}`),
  [STATION.driverOut]: 'taken by the driver for sending',
  [STATION.link]: ({ detail }, names) => `enters from ${names.linkEnd(detail)}`,
  [STATION.linkLoss]: ({ detail }) => LOSSES[detail] ?? 'lost',
  [STATION.driverIn]: 'received by the driver',
  [STATION.tap]: ({ detail }) => `shown to capture points, ${detail === 1 ? 'inbound' : 'outbound'}`,
  [STATION.aggregate]: ({ detail }, names) => `through port ${names.interfaceName(detail)}`,
  [STATION.bridge]: ({ detail }) => VERDICTS[detail] ?? '',
  [STATION.vlan]: ({ detail }) => `VLAN ${detail}`,
  [STATION.flow]: flowText,
  [STATION.stackQueue]: "on the stack's input queue",
  [STATION.ipInput]: 'IP input, in the stack context',
  [STATION.filter]: ({ detail }) => filterText(detail),
  [STATION.forward]: ({ detail }, names) => `forwarded to ${names.interfaceName(detail)}`,
  [STATION.reassembly]: 'a fragment: held for reassembly',
  [STATION.transport]: ({ detail }) => `handed to ${protocolName(detail)}`,
  [STATION.socket]: ({ detail }) => `${bytes(detail)} in the receive buffer`,
  [STATION.consumed]: ({ detail }) =>
    detail >= CONSUMED_ICMP
      ? `used by the stack: ICMP ${icmpText(detail - CONSUMED_ICMP)}`
      : `used by the stack: ${etherTypes.get(detail) ?? `EtherType 0x${detail.toString(16).padStart(4, '0')}`}`,
  [STATION.drop]: ({ detail }, names) => `dropped: ${dropReason(detail, names.atStack)}`,
  [STATION.tunnel]: ({ detail }) => (detail === 1 ? 'out of the tunnel' : 'into the tunnel'),
  [STATION.refused]: ({ detail }) =>
    `dropped, and its sender is told: ICMP ${icmpText(detail >>> 8, detail & 255)}`,
  [STATION.connection]: ({ detail }) => `for this connection, ${bytes(detail)} of data`,
};

function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count} bytes`;
}

function dropReason(detail: number, atStack: boolean): string {
  if (atStack) return statisticText(detail);
  if (detail === FOR_ANOTHER) return 'it is for another hardware address';
  return detail === 0 ? 'no protocol takes it' : errnoName(detail);
}

const NAMES = new Map<Station, string>(
  Object.entries(STATION).map(([name, number]) => [number, name] as const),
);

/** The one-word name of a kind of station, as STATION has it. */
export function stationName(station: Station): string {
  return NAMES.get(station) ?? `station${station}`;
}

/** What happened at a station. */
export function stationText(entry: JourneyEntry, names: EntryNames): string {
  const words = WORDS[entry.station];
  return typeof words === 'function' ? words(entry, names) : words;
}
