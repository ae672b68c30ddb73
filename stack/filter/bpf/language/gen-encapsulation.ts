/** Words for packets within packets, each of which shifts the headers for everything behind it: `vlan`, `mpls`, `pppoes`, `geneve` and `vxlan`. */
import { BPF_ADD, BPF_AND, BPF_MUL } from '../instruction.ts';
import { FilterFault } from './error.ts';
import {
  constant,
  equals,
  ipv4TransportPlace,
  ipv6TransportPlace,
  load,
  loadNetwork,
  masked,
  newRegister,
} from './generation.ts';
import type { Generation } from './generation.ts';
import { linkTypeIs } from './gen-link-type.ts';
import { isFirstFragment } from './gen-port.ts';
import { atMost, ipProtocolIs } from './gen-protocol.ts';
import { DLT_EN10MB, DLT_IEEE802_11, DLT_PPP, after, linkTypeTitle } from './link-state.ts';
import type { Place } from './link-state.ts';
import {
  ETHERTYPE_8021AD,
  ETHERTYPE_8021Q,
  ETHERTYPE_8021QINQ,
  ETHERTYPE_IP,
  ETHERTYPE_IPV6,
  ETHERTYPE_MPLS,
  ETHERTYPE_PPPOED,
  ETHERTYPE_PPPOES,
  ETHERTYPE_TRANSPARENT_ETHERNET,
  IPPROTO_UDP,
  PPP_MPLS,
} from './numbers.ts';
import { NO_CONDITION, and, assign, or } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { CountedWord } from './syntax.ts';
import type { Value } from './value.ts';

const GENEVE_PORT = 6081;
const VXLAN_PORT = 4789;

/** A word with its number, if it has one; changes where headers begin. */
export function encapsulation(
  g: Generation,
  word: CountedWord,
  number: number | undefined,
  column: number,
): Predicate {
  switch (word) {
    case 'vlan':
      return vlan(g, number, column);
    case 'mpls':
      return mpls(g, number, column);
    case 'pppoes':
      return pppoes(g, number, column);
    case 'geneve':
      return geneve(g, number, column);
    case 'vxlan':
      return vxlan(g, number, column);
  }
}

/** `pppoed`: discovery, which carries nothing. */
export function pppoed(g: Generation, column: number): Predicate {
  return linkTypeIs(g, ETHERTYPE_PPPOED, column);
}

/** IEEE 802.1Q: a tag of four bytes, with its identifier in the low 12 bits of the first two. */
function vlan(g: Generation, id: number | undefined, column: number): Predicate {
  const { link } = g;
  if (link.labels > 0) throw new FilterFault('no VLAN match after MPLS', column);
  if ((link.linkType !== DLT_EN10MB && link.linkType !== DLT_IEEE802_11) || link.type === undefined)
    throw new FilterFault(`'vlan' not supported on ${linkTypeTitle(link.linkType)}`, column);
  const types = [ETHERTYPE_8021Q, ETHERTYPE_8021AD, ETHERTYPE_8021QINQ];
  const tagged = or(...types.map((type) => linkTypeIs(g, type, column)));
  const isId =
    id === undefined
      ? NO_CONDITION
      : masked(g, loadNetwork(g, 0, 2), 0x0fff, atMost(id, 4095, 'VLAN tag', column));
  g.link = { ...link, type: after(link.type, 4), payload: after(link.payload, 4) };
  return and(tagged, isId);
}

/** RFC 3032: label entries of four bytes, the label in the upper 20 bits, the last entry marked. */
function mpls(g: Generation, label: number | undefined, column: number): Predicate {
  const { link } = g;
  const isMpls = link.labels > 0 ? masked(g, loadNetwork(g, -2, 1), 0x01, 0) : firstLabel(g, column);
  const isLabel =
    label === undefined
      ? NO_CONDITION
      : masked(g, loadNetwork(g, 0, 4), 0xfffff000, atMost(label, 0xfffff, 'MPLS label', column) * 4096);
  g.link = {
    ...link,
    network: link.network + 4,
    networkNoSnap: link.networkNoSnap + 4,
    labels: link.labels + 1,
  };
  return and(isMpls, isLabel);
}

function firstLabel(g: Generation, column: number): Predicate {
  switch (g.link.linkType) {
    case DLT_EN10MB:
      return linkTypeIs(g, ETHERTYPE_MPLS, column);
    case DLT_PPP:
      return linkTypeIs(g, PPP_MPLS, column);
    default:
      throw new FilterFault(`'mpls' not supported on ${linkTypeTitle(g.link.linkType)}`, column);
  }
}

/** RFC 2516: a session header of six bytes, its number in the second two, then PPP without its own header. */
function pppoes(g: Generation, session: number | undefined, column: number): Predicate {
  const isPppoe = linkTypeIs(g, ETHERTYPE_PPPOES, column);
  const isSession =
    session === undefined
      ? NO_CONDITION
      : masked(g, loadNetwork(g, 0, 4), 0x0000ffff, atMost(session, 0xffff, 'PPPoE session number', column));
  const header = after(g.link.payload, g.link.network + 6);
  g.link = {
    ...g.link,
    linkType: DLT_PPP,
    header,
    type: header,
    payload: after(header, 2),
    network: 0,
    networkNoSnap: 0,
  };
  return and(isPppoe, isSession);
}

/** What a tunnel header over UDP must look like, from its first byte on. */
type TunnelTest = (header: Place) => Predicate;

/** A tunnel over UDP, over either version of IP; leaves in a register where its header begins. */
function overUdp(g: Generation, port: number, test: TunnelTest, start: number, column: number): Predicate {
  const through = (transport: Place): Predicate => {
    const header = after(transport, 8);
    const value =
      header.base === undefined
        ? constant(g, header.offset)
        : g.values.alu(BPF_ADD, header.base, constant(g, header.offset));
    return and(equals(g, load(g, transport, 2, 2), port), test(header), assign(start, value));
  };
  const overIpv4 = and(
    linkTypeIs(g, ETHERTYPE_IP, column),
    ipProtocolIs(g, IPPROTO_UDP),
    isFirstFragment(g),
    through(ipv4TransportPlace(g)),
  );
  const overIpv6 = and(
    linkTypeIs(g, ETHERTYPE_IPV6, column),
    equals(g, loadNetwork(g, 6, 1), IPPROTO_UDP),
    through(ipv6TransportPlace(g)),
  );
  return or(overIpv4, overIpv6);
}

/** The identifier in the upper three bytes of the second word, as Geneve and VXLAN have it. */
function isVni(g: Generation, header: Place, vni: number | undefined): Predicate {
  return vni === undefined ? NO_CONDITION : masked(g, load(g, header, 4, 4), 0xffffff00, (vni * 256) >>> 0);
}

/** RFC 7348: eight bytes, then an Ethernet frame. */
function vxlan(g: Generation, vni: number | undefined, column: number): Predicate {
  if (vni !== undefined) atMost(vni, 0xffffff, 'VXLAN VNI', column);
  const start = newRegister(g, column);
  const test: TunnelTest = (header) => and(equals(g, load(g, header, 0, 1), 0x08), isVni(g, header, vni));
  const found = overUdp(g, VXLAN_PORT, test, start, column);
  const frame = { base: g.values.register(start), offset: 8 };
  g.link = {
    linkType: DLT_EN10MB,
    header: frame,
    type: after(frame, 12),
    payload: after(frame, 14),
    network: 0,
    networkNoSnap: 3,
    labels: g.link.labels,
    tunnel: 'vxlan',
  };
  return found;
}

/** RFC 8926: eight bytes and options, then a packet of the type that the header names, for which an Ethernet frame is one of many. */
function geneve(g: Generation, vni: number | undefined, column: number): Predicate {
  if (vni !== undefined) atMost(vni, 0xffffff, 'Geneve VNI', column);
  const [start, inner, type, payload] = [0, 1, 2, 3].map(() => newRegister(g, column));
  if (start === undefined || inner === undefined || type === undefined || payload === undefined)
    throw new Error('registers are given out or refused');
  const isVersion0: TunnelTest = (header) =>
    and(masked(g, load(g, header, 0, 1), 0xc0, 0), isVni(g, header, vni));
  const found = overUdp(g, GENEVE_PORT, isVersion0, start, column);
  const header = { base: g.values.register(start), offset: 0 };
  const result = and(found, ...innerPlaces(g, header, inner, type, payload));
  const place = (register: number): Place => ({ base: g.values.register(register), offset: 0 });
  g.link = {
    linkType: DLT_EN10MB,
    header: place(inner),
    type: place(type),
    payload: place(payload),
    network: 0,
    networkNoSnap: 3,
    labels: g.link.labels,
    tunnel: 'geneve',
  };
  return result;
}

/** Computes where the packet within Geneve has its headers: without an Ethernet header its type is that in the header of Geneve. */
function innerPlaces(
  g: Generation,
  header: Place,
  inner: number,
  type: number,
  payload: number,
): Predicate[] {
  const plus = (value: Value, bytes: number): Value => g.values.alu(BPF_ADD, value, constant(g, bytes));
  const start = g.values.register(inner);
  const base = header.base ?? constant(g, 0);
  const protocol = load(g, header, 2, 2);
  const optionWords = g.values.alu(BPF_AND, load(g, header, 0, 1), constant(g, 0x3f));
  const optionBytes = g.values.alu(BPF_MUL, optionWords, constant(g, 4));
  const isFrame = equals(g, protocol, ETHERTYPE_TRANSPARENT_ETHERNET);
  return [
    assign(type, plus(base, 2)),
    assign(inner, g.values.alu(BPF_ADD, base, plus(optionBytes, 8))),
    { kind: 'probe', value: protocol },
    or(and(isFrame, assign(type, plus(start, 12)), assign(payload, plus(start, 14))), assign(payload, start)),
  ];
}
